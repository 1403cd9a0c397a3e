#pragma once
#include <optional>
#include <string>

namespace lab::test {

/// The server that tools/clickhouse.py started for this run of the tests.
struct ClickHouseServer {
    std::string url;  ///< http://127.0.0.1:PORT
    std::string user;
    std::string password;
};
/// nullopt without one; a test that needs it is skipped then, in words.
const std::optional<ClickHouseServer>& clickhouse_server();
inline constexpr const char* kNoClickHouse =
    "no ClickHouse: tools/clickhouse.py --build installs one, tools/clickhouse.py COMMAND runs a "
    "command beside it";

}  // namespace lab::test
