#include "api/samples.h"

#include "api/lists.h"
#include "service/run_samples.h"

#include <nlohmann/json.hpp>

namespace lab::api {
namespace {

using domain::Permission;

Result<ListPage> fetch_samples(const Call& call, const ListQuery& page) {
    service::SampleQuery query;
    query.limit = page.limit;
    query.offset = page.offset;
    LAB_TRY(const auto after, number_after(page));
    query.after = after.value_or(-1);
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
    return ListPage{
        .data = std::move(found.rows),
        .total = found.total,
        .more = found.more,
        .last = cursor_at(found.last),
    };
}

/// Of the export as CSV; members that are objects are JSON in their cell.
std::vector<std::string> csv_columns() {
    return {
        "id",
        "index",
        "item_id",
        "variant",
        "repetition",
        "status",
        "outcome",
        "input",
        "output",
        "expected_output",
        "scores",
        "usage",
        "latency_ms",
        "time_to_first_token_ms",
        "cost",
        "attempts",
        "cached",
        "replayed",
        "finish_reason",
        "error",
    };
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

std::vector<Route> sample_routes(const SigningKeys& signing) {
    std::vector<Route> out;
    Route list = sample_route(
        "/experiments/{id}/runs/{run}/samples",
        "List the samples of a run; a page can be short and have more behind it",
        [&signing](Call& call) {
            ListFace face{.resource = "run", .source = fetch_samples};
            face.csv_columns = csv_columns();
            return reply_list(call, signing, std::move(face));
        }
    );
    list.query = ordered_list_parameters();
    const std::vector<QueryParameter> filters{
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
    list.query.insert(list.query.end(), filters.begin(), filters.end());
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
