#include "api/samples.h"

#include "service/run_samples.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace lab::api {
namespace {

using domain::Permission;

constexpr std::int64_t kCursorMax = 1'000'000'000'000;

Result<std::int64_t> read_index(const Call& call, std::string_view name, std::int64_t fallback) {
    const auto text = call.query(name);
    if (!text) {
        return fallback;
    }
    std::int64_t value = 0;
    const char* const end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, value);
    if (parsed.ec != std::errc() || parsed.ptr != end || value < -1) {
        return Error(
            Code::bad_request,
            "the query parameter \"" + std::string(name) + "\" is no place in a list"
        );
    }
    return value;
}

Result<Reply> list_samples(const Call& call) {
    service::SampleQuery query;
    LAB_TRY(query.limit, read_index(call, "limit", 20));
    if (query.limit < 1 || query.limit > 100) {
        return Error(Code::validation, "limit must be 1 to 100", {{"limit", "must be 1 to 100"}});
    }
    LAB_TRY(query.after, read_index(call, "cursor", -1));
    query.variant = call.query("variant");
    query.status = call.query("status");
    query.outcome = call.query("outcome");
    query.tag = call.query("tag");
    query.text = call.query("q");
    const std::string include = call.query("include").value_or("");
    if (!include.empty() && include != "item") {
        return Error(Code::bad_request, "include can be \"item\" only");
    }
    query.with_item = !include.empty();
    LAB_TRY(auto found, service::list_samples(call.request(), call.path(0), call.path(1), query));
    Json out = Json::object();
    out["data"] = std::move(found.rows);
    out["pagination"] = {
        {"limit", query.limit},
        {"has_more", found.more},
        {"next_cursor", found.more ? Json(std::to_string(found.last)) : Json()},
    };
    return reply_json(std::move(out));
}

Route sample_route(std::string_view path, std::string_view summary, Handler handler) {
    Route out;
    out.method = "GET";
    out.path = path;
    out.summary = summary;
    out.tag = "Runs";
    out.guard = Guard::permission;
    out.permission = Permission::read_metrics;
    out.handler = std::move(handler);
    return out;
}

}  // namespace

std::vector<Route> sample_routes() {
    std::vector<Route> out;
    Route list = sample_route(
        "/experiments/{id}/runs/{run}/samples",
        "List the samples of a run; a page can be short and have more behind it",
        [](Call& call) { return list_samples(call); }
    );
    list.query = {
        {.name = "limit",
         .type = "integer",
         .help = "Rows of a page, 1 to 100; 20 when not given",
         .least = 1,
         .most = 100},
        {.name = "cursor",
         .type = "integer",
         .help = "Goes on behind the page that gave it out",
         .least = -1,
         .most = kCursorMax},
        {"variant", "string", "Only those of this variant"},
        {.name = "status", .type = "string", .help = "How they ended", .values = {"done", "failed"}
        },
        {.name = "outcome",
         .type = "string",
         .help = "What came of them, by the first metric",
         .values = {"correct", "incorrect", "scored", "unparsed", "error"}},
        {"tag", "string", "Only those whose row has this among its tags"},
        {"q", "string", "Only those whose output or item id holds this text"},
        {.name = "include",
         .type = "string",
         .help = "Also the row and the prompt as it was sent",
         .values = {"item"}},
    };
    out.push_back(std::move(list));
    Route one = sample_route(
        "/experiments/{id}/runs/{run}/samples/{sample}",
        "Show one sample with its row, prompt, output and scores",
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json found,
                service::get_sample(call.request(), call.path(0), call.path(1), call.path(2))
            );
            return reply_json(std::move(found));
        }
    );
    one.plain_path_values = {"sample"};
    out.push_back(std::move(one));
    return out;
}

}  // namespace lab::api
