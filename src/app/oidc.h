#pragma once
#include "app/platform.h"
#include "service/oidc.h"

namespace lab::app {

/// Login at the identity provider of the settings; nullptr when there is none. `platform` outlives
/// it. Errors: validation for a role that does not exist.
Result<std::unique_ptr<service::OidcLogin>> make_oidc(Platform& platform, const Clock& clock);

}  // namespace lab::app
