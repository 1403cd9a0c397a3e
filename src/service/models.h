#pragma once
#include "service/nouns.h"

namespace lab::service {

/// A model somebody registered: a provider, its name for the model, and how to reach it.
/// Credentials are named (`config.credential`), never held.
const Noun& model_noun();

/// One entry for every provider: name, display_name, description, supported_models.
Json list_providers();

}  // namespace lab::service
