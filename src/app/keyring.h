#pragma once
#include "cli/credentials.h"

#include <memory>

namespace lab::app {

/// The Secret Service of the desktop through libsecret, which is loaded when it is first used and
/// need not be installed: then every call says that there is no keyring.
std::unique_ptr<cli::Keyring> make_keyring();

}  // namespace lab::app
