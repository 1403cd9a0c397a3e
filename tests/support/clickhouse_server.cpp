#include "support/clickhouse_server.h"

#include <cstdlib>

namespace lab::test {
namespace {

/// http://USER:PASSWORD@HOST
std::optional<ClickHouseServer> read_url(const std::string& url) {
    const std::size_t scheme = url.find("://");
    const std::size_t at = url.find('@');
    if (scheme == std::string::npos || at == std::string::npos) {
        return std::nullopt;
    }
    const std::size_t colon = url.find(':', scheme + 3);
    return ClickHouseServer{
        .url = url.substr(0, scheme + 3) + url.substr(at + 1),
        .user = url.substr(scheme + 3, colon - scheme - 3),
        .password = url.substr(colon + 1, at - colon - 1),
    };
}

}  // namespace

const std::optional<ClickHouseServer>& clickhouse_server() {
    static const std::optional<ClickHouseServer> kServer = [] {
        const char* const url = std::getenv("LAB_TEST_CLICKHOUSE_URL");
        return read_url(url != nullptr ? url : "");
    }();
    return kServer;
}

}  // namespace lab::test
