#include "app/listener.h"

#include "platform/telemetry/process_load.h"

#include <algorithm>

namespace lab::app {

http::ServerOptions server_options(const HttpSettings& http) {
    http::ServerOptions out;
    out.address = http.host;
    out.port = static_cast<std::uint16_t>(http.port);
    out.certificate_file = http.tls_certificate_file;
    out.key_file = http.tls_key_file;
    // The rest is for those who answer requests. On two processors a second thread here would take
    // turns with them: a quarter fewer GET /health a second, and twice the p99 of lists.
    constexpr double kThreadsMax = 8;
    out.threads =
        static_cast<std::size_t>(std::clamp(read_process_limits().processors / 2, 1.0, kThreadsMax)
        );
    out.header_bytes_max = static_cast<std::size_t>(http.header_bytes_max);
    out.header_count_max = static_cast<std::size_t>(http.header_count_max);
    out.uri_bytes_max = static_cast<std::size_t>(http.uri_bytes_max);
    out.header_timeout = http.header_timeout;
    out.body_rate_min = static_cast<std::size_t>(http.body_rate_min);
    out.idle_timeout = http.idle_timeout;
    out.write_stall_timeout = http.stall_timeout;
    out.pipelining_max = static_cast<std::size_t>(http.pipelining_max);
    out.connections_max = static_cast<std::size_t>(http.clients_max);
    out.connections_per_peer_max = static_cast<std::size_t>(http.clients_per_peer_max);
    return out;
}

std::string origin_of(const HttpSettings& http) {
    std::string out = http.public_url;
    out.erase(out.find_last_not_of('/') + 1);
    return out;
}

std::filesystem::file_time_type certificate_time(const HttpSettings& http) {
    auto out = std::filesystem::file_time_type::min();
    for (const std::string& file : {http.tls_certificate_file, http.tls_key_file}) {
        std::error_code code;
        const auto written = std::filesystem::last_write_time(file, code);
        out = code ? out : std::max(out, written);
    }
    return out;
}

}  // namespace lab::app
