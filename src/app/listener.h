#pragma once
#include "platform/config/server_settings.h"
#include "platform/http/server.h"

#include <filesystem>

namespace lab::app {

/// The listener of the API as the operator wants it.
http::ServerOptions server_options(const HttpSettings& http);

/// When either file of the certificate was written last; the least time without TLS.
std::filesystem::file_time_type certificate_time(const HttpSettings& http);

}  // namespace lab::app
