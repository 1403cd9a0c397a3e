#pragma once
#include "platform/http/blocking.h"
#include "platform/json/json.h"

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace lab::storage {

struct ClickHouseOptions {
    std::string url;  ///< http or https, without user, query and fragment
    std::string user;
    std::string password;
    std::string database;
    Duration connect_timeout = std::chrono::seconds(3);
    Duration query_timeout = std::chrono::seconds(10);
    Duration insert_timeout = std::chrono::seconds(30);
};

/// {name, value}: `{name:Type}` in the SQL.
using ClickHouseParameters = std::vector<std::pair<std::string, std::string>>;

/// A server that speaks ClickHouse's HTTP interface. Calls wait on the thread that asks, end with
/// their Ctx, and are not repeated: whoever asks knows whether that helps. Any thread.
///
/// Errors of all: unavailable when the server cannot be reached, does not answer in time, is
/// overloaded, or does not know the user; upstream_error when it refuses the statement, with the
/// name of its exception; those of `ctx`. What the server said is in `cause`.
class ClickHouse {
  public:
    /// `http` outlives it.
    ClickHouse(ClickHouseOptions options, http::BlockingClient& http);

    /// A statement without an answer.
    Status run(const Ctx& ctx, std::string_view sql, const ClickHouseParameters& parameters = {});
    /// The rows of an answer, each an array of its columns.
    Status query(
        const Ctx& ctx,
        std::string_view sql,
        const ClickHouseParameters& parameters,
        const std::function<Status(const Json& row)>& on_row
    );
    /// `rows`: in the format that `sql` ("INSERT INTO ... FORMAT ...") names; sent compressed.
    Status insert(const Ctx& ctx, std::string_view sql, std::string_view rows);
    /// Makes the database where there is none and the user may.
    Status make_database(const Ctx& ctx);

  private:
    struct Call;
    Result<std::string> send(const Ctx& ctx, Call call);

    const ClickHouseOptions options_;
    http::BlockingClient& http_;
};

/// As a parameter of the type Array(String), Array(UUID) and the like.
std::string clickhouse_array(const std::vector<std::string>& values);

}  // namespace lab::storage
