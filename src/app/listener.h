#pragma once
#include "platform/config/server_settings.h"
#include "platform/http/server.h"

#include <filesystem>
#include <string>

namespace lab::app {

/// The listener of the API as the operator wants it.
http::ServerOptions server_options(const HttpSettings& http);

/// What the service is called from outside, without a slash at its end; empty: as it is asked.
std::string origin_of(const HttpSettings& http);

/// When either file of the certificate was written last; the least time without TLS.
std::filesystem::file_time_type certificate_time(const HttpSettings& http);

}  // namespace lab::app
