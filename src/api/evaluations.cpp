#include "api/evaluations.h"

#include "api/lists.h"
#include "api/nouns.h"
#include "base/text.h"
#include "base/uuid.h"
#include "service/evaluations.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::api {
namespace {

constexpr std::string_view kTag = "Evaluations";
constexpr std::string_view kOrScope = "metrics:write";
constexpr std::size_t kBatchBytesMax = 16U << 20;

/// The value of a filter that takes one of a few words. Errors: bad_request.
Result<std::optional<std::string>> read_word(
    const Call& call, std::string_view name, const std::vector<std::string>& words
) {
    auto value = call.query(name);
    if (value && std::ranges::find(words, *value) == words.end()) {
        return Error(
            Code::bad_request,
            "no evaluation has the " + std::string(name) + " \"" + shorten(*value, 40) +
                "\": it is one of " + join(words, ", ")
        );
    }
    return value;
}

Result<std::optional<std::string>> read_id(const Call& call, std::string_view name) {
    auto value = call.query(name);
    if (value && !is_uuid(*value)) {
        return Error(
            Code::bad_request, "the query parameter \"" + std::string(name) + "\" takes a UUID"
        );
    }
    return value ? std::optional(to_lower(*value)) : std::nullopt;
}

Status read_filters(const Call& call, storage::ResourceFilter& filter) {
    LAB_TRY(filter.status, read_word(call, "status", service::evaluation_states()));
    LAB_TRY(filter.facet, read_word(call, "evaluation_type", service::evaluation_types()));
    LAB_TRY(filter.kind, read_word(call, "kind", {"sample", "run_summary", "definition"}));
    LAB_TRY(filter.experiment_id, read_id(call, "experiment_id"));
    LAB_TRY(filter.run_id, read_id(call, "run_id"));
    if (const auto tags = call.query("tags")) {
        filter.tags = split_words(*tags);
    }
    return ok();
}

Result<Reply> create(const Call& call, const std::function<void(std::size_t)>& count) {
    LAB_TRY(auto made, service::create_evaluations(call.request(), call.body()));
    if (count) {
        count(made.count);
    }
    if (made.shown.is_array()) {
        return reply_batch(made.shown.get<std::vector<Json>>());
    }
    std::string id = made.shown["id"].get<std::string>();
    Reply reply = reply_shown({.json = std::move(made.shown), .revision = made.revision}, 201);
    reply.audit_id = std::move(id);
    reply.headers.emplace_back("Location", call.head().path + "/" + reply.audit_id);
    return reply;
}

Result<Reply> update(Call& call) {
    LAB_TRY(const auto revision, read_if_match(call));
    LAB_TRY(
        auto changed,
        service::update_evaluation(call.request(), call.path(0), call.body(), revision)
    );
    return reply_shown(std::move(changed));
}

}  // namespace

// The five routes of every noun; what is made and changed goes by its kind.
std::vector<Route> evaluation_routes(
    const SigningKeys& signing, const std::function<void(std::size_t)>& count
) {
    const NounFace face{
        .collection = "/evaluations",
        .one = "/evaluations/{id}",
        .tag = kTag,
        .noun = &service::evaluation_noun(),
        .filters =
            {{"experiment_id", "uuid", "Only those of this experiment"},
             {"run_id", "uuid", "Only those of this run"},
             {.name = "evaluation_type",
              .type = "string",
              .help = "Only definitions of this type",
              .values = {"automated", "human", "comparison", "llm_judge", "custom"}},
             {.name = "kind",
              .type = "string",
              .help = "Only those of this kind",
              .values = {"sample", "run_summary", "definition"}},
             {"status", "string", "Only those that are pending, running, completed, failed, ..."},
             {"tags", "tags", "Only those with all of these tags, separated by commas"}},
        .read_filters = read_filters,
    };
    std::vector<Route> out = noun_routes(face, signing);
    for (Route& route : out) {
        if (route.method == "GET") {
            continue;
        }
        route.or_scope = kOrScope;
        if (route.method == "POST") {
            route.summary = "Make a new one, or up to 1,000 of an array, all or none";
            route.request_schema = nullptr;
            route.takes_batch = false;  // the use case takes arrays itself
            route.shown_request_schema = &service::evaluations_schema();
            route.body_bytes_max = kBatchBytesMax;
            route.handler = [count](Call& call) { return create(call, count); };
        } else if (route.method == "PUT") {
            route.handler = update;
        }
    }
    return out;
}

}  // namespace lab::api
