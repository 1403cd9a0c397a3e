#include "storage/events/clickhouse.h"

#include "base/percent.h"
#include "platform/http/compress.h"
#include "storage/events/clickhouse_answers.h"

#include <nlohmann/json.hpp>

namespace lab::storage {
namespace {

constexpr std::size_t kAnswerBytesMax = 32U << 20;
/// Numbers as numbers, and times in the form that we send.
constexpr std::string_view kSettings =
    "&output_format_json_quote_64bit_integers=0&date_time_input_format=best_effort"
    "&input_format_skip_unknown_fields=0&wait_end_of_query=1";

}  // namespace

struct ClickHouse::Call {
    std::string_view sql;  ///< in the address when there is a body
    const ClickHouseParameters* parameters = nullptr;
    std::string body = {};
    std::string coding = {};
    bool in_database = true;
    Duration timeout{};
};

ClickHouse::ClickHouse(ClickHouseOptions options, http::BlockingClient& http)
    : options_(std::move(options)), http_(http) {}

Result<std::string> ClickHouse::send(const Ctx& ctx, Call call) {
    http::Request request;
    request.url = options_.url + (options_.url.ends_with('/') ? "" : "/") + "?";
    request.url += call.in_database ? "database=" + percent_encode(options_.database) : "wait=0";
    request.url += kSettings;
    if (call.parameters != nullptr) {
        for (const auto& [name, value] : *call.parameters) {
            request.url += "&param_" + name + "=" + percent_encode(value);
        }
    }
    request.headers = {
        {"X-ClickHouse-User", options_.user},
        {"X-ClickHouse-Key", options_.password},
        {"Content-Type", "text/plain; charset=utf-8"},
    };
    if (call.body.empty()) {
        request.body = call.sql;
    } else {
        request.url += "&query=" + percent_encode(call.sql);
        request.headers.emplace_back("Content-Encoding", call.coding);
        request.body = std::move(call.body);
    }
    request.connect_timeout = options_.connect_timeout;
    request.total_timeout = call.timeout;
    request.body_bytes_max = kAnswerBytesMax;
    LAB_TRY(http::Answer answer, http_.call(ctx, std::move(request)));
    if (auto problem = clickhouse_error(answer)) {
        return *std::move(problem);
    }
    return std::move(answer.body);
}

Status ClickHouse::run(
    const Ctx& ctx, std::string_view sql, const ClickHouseParameters& parameters
) {
    LAB_CHECK(send(ctx, {.sql = sql, .parameters = &parameters, .timeout = options_.query_timeout})
    );
    return ok();
}

Status ClickHouse::query(
    const Ctx& ctx,
    std::string_view sql,
    const ClickHouseParameters& parameters,
    const std::function<Status(const Json& row)>& on_row
) {
    LAB_TRY(
        const std::string answer,
        send(ctx, {.sql = sql, .parameters = &parameters, .timeout = options_.query_timeout})
    );
    std::string_view rest = answer;
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find('\n'), rest.size());
        const auto row = parse_json(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
        if (!row || !row->is_array()) {
            return Error(Code::upstream_error, "ClickHouse answers with what is no row");
        }
        LAB_CHECK(on_row(*row));
    }
    return ok();
}

Status ClickHouse::insert(const Ctx& ctx, std::string_view sql, std::string_view rows) {
    if (rows.empty()) {
        return ok();
    }
    constexpr auto kCoding = http::Coding::zstd;
    LAB_TRY(std::string body, http::compress_quickly(kCoding, rows));
    LAB_CHECK(send(
        ctx,
        {.sql = sql,
         .body = std::move(body),
         .coding = std::string(http::to_string(kCoding)),
         .timeout = options_.insert_timeout}
    ));
    return ok();
}

Status ClickHouse::make_database(const Ctx& ctx) {
    const ClickHouseParameters parameters{{"name", options_.database}};
    LAB_CHECK(send(
        ctx,
        {.sql = "CREATE DATABASE IF NOT EXISTS {name:Identifier}",
         .parameters = &parameters,
         .in_database = false,
         .timeout = options_.query_timeout}
    ));
    return ok();
}

std::string clickhouse_array(const std::vector<std::string>& values) {
    std::string out = "[";
    for (const std::string& value : values) {
        out += out.size() > 1 ? ",'" : "'";
        for (const char c : value) {
            if (c == '\'' || c == '\\') {
                out += '\\';
            }
            out += c;
        }
        out += '\'';
    }
    return out + "]";
}

}  // namespace lab::storage
