#include "service/evaluations.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "service/evaluation_runs.h"
#include "service/impl/evaluation_law.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

using domain::Deed;
using storage::Resource;

EvaluationKind kind_in(const Json& body) {
    const std::string kind = body.value("kind", "definition");
    if (kind == "sample") {
        return EvaluationKind::sample;
    }
    return kind == "run_summary" ? EvaluationKind::run_summary : EvaluationKind::definition;
}

void fill_columns(const Json& body, Resource& one) {
    one.kind = to_string(kind_in(body));
    one.facet = body.value("evaluation_type", "");
    one.experiment_id = to_lower(body.value("experiment_id", ""));
    one.run_id = to_lower(body.value("run_id", ""));
}

Status decorate(const Request&, const Resource&, Json& shown) {
    const EvaluationKind kind = kind_in(shown);
    shown.erase(std::string(kRunsMember));
    if (kind == EvaluationKind::definition) {
        shown.emplace("run_count", 0);
        shown.emplace("last_run_at", nullptr);
        return ok();
    }
    shown.erase("name");
    if (shown.value("description", "").empty()) {
        shown.erase("description");
    }
    shown.emplace("run_id", nullptr);
    if (kind == EvaluationKind::sample) {
        for (const char* member : {"expected_output", "cost"}) {
            shown.emplace(member, nullptr);
        }
        shown.emplace("metrics", Json::object());
    }
    return ok();
}

Noun noun_of(EvaluationKind kind) {
    using enum domain::Permission;
    const bool definition = kind == EvaluationKind::definition;
    Noun out{
        .name = "evaluation",
        .kind = storage::ResourceKind::evaluation,
        .create = run_experiment,
        .read = read_metrics,
        .update = run_experiment,
        .remove = run_experiment,
        .or_scope = "metrics:write",
        .schema = &evaluation_schema(kind),
        .first_status = definition ? "pending" : "completed",
        .shows_status = true,
        .check = definition ? check_definition : check_record,
        .fill_columns = fill_columns,
        .may_remove = may_remove_evaluation,
        .decorate = decorate,
    };
    if (definition) {
        out.system_members = {"run_count", "last_run_at", kRunsMember};
    } else {
        out.system_members = {"name"};  // it has none
    }
    return out;
}

/// What `kind` says, or else the members.
Result<EvaluationKind> told_kind(const Json& body) {
    constexpr const char* kHelp =
        "give sample (with input and output), run_summary (with run_id and metrics) or definition "
        "(with name and evaluation_type)";
    const auto refuse = [&](std::string_view why) {
        return Error(
            Code::validation,
            "the evaluation cannot be as given",
            {{"kind", std::string(why) + ": " + kHelp}}
        );
    };
    if (!body.is_object()) {
        return Error(
            Code::validation, "the evaluation cannot be as given", {{"", "expected an object"}}
        );
    }
    if (const auto given = body.find("kind"); given != body.end()) {
        for (const auto kind :
             {EvaluationKind::sample, EvaluationKind::run_summary, EvaluationKind::definition}) {
            if (given->is_string() && given->get_ref<const std::string&>() == to_string(kind)) {
                return kind;
            }
        }
        return refuse("there is no such kind");
    }
    const auto has = [&](const char* member) { return body.contains(member); };
    if (has("name") || has("evaluation_type") || has("config")) {
        return EvaluationKind::definition;
    }
    if (has("input") || has("output") || has("sample_id")) {
        return EvaluationKind::sample;
    }
    if (has("run_id") && has("metrics")) {
        return EvaluationKind::run_summary;
    }
    return refuse("the members do not tell which kind it is");
}

/// Of its kind, with the kind inside.
Result<NewNoun> read_one(const Json& body) {
    LAB_TRY(const EvaluationKind kind, told_kind(body));
    NewNoun out{.noun = &evaluation_noun(kind), .body = body};
    out.body["kind"] = to_string(kind);
    return out;
}

/// Those whose kind can be told. Errors: validation with the place of every other one.
Result<std::vector<NewNoun>> read_several(const Json& body) {
    if (body.empty() || body.size() > kEvaluationsMax) {
        const std::string most = std::to_string(kEvaluationsMax);
        return Error(
            Code::validation,
            "an array holds 1 to " + most + " evaluations",
            {{"", "has " + std::to_string(body.size()) + " entries, must have 1 to " + most}}
        );
    }
    std::vector<NewNoun> out;
    std::vector<Detail> problems;
    for (std::size_t i = 0; i < body.size(); ++i) {
        auto one = read_one(body[i]);
        if (one) {
            out.push_back(*std::move(one));
            continue;
        }
        for (const Detail& detail : one.error().details) {
            const std::string where = path_index("", i);
            problems.push_back(
                {detail.field.empty() ? where : where + "." + detail.field, detail.message}
            );
        }
    }
    if (!problems.empty()) {
        return Error(
            Code::validation, "nothing was stored: some cannot be as given", std::move(problems)
        );
    }
    return out;
}

}  // namespace

std::string_view to_string(EvaluationKind kind) {
    switch (kind) {
        case EvaluationKind::sample:
            return "sample";
        case EvaluationKind::run_summary:
            return "run_summary";
        case EvaluationKind::definition:
            break;
    }
    return "definition";
}

const std::vector<std::string>& evaluation_types() {
    static const std::vector<std::string> kTypes{
        "automated", "human", "comparison", "llm_judge", "custom"
    };
    return kTypes;
}

const std::vector<std::string>& evaluation_states() {
    static const std::vector<std::string> kStates{
        "pending", "running", "completed", "failed", "cancelled"
    };
    return kStates;
}

const Noun& evaluation_noun() { return evaluation_noun(EvaluationKind::definition); }

const Noun& evaluation_noun(EvaluationKind kind) {
    static const Noun kSample = noun_of(EvaluationKind::sample);
    static const Noun kSummary = noun_of(EvaluationKind::run_summary);
    static const Noun kDefinition = noun_of(EvaluationKind::definition);
    switch (kind) {
        case EvaluationKind::sample:
            return kSample;
        case EvaluationKind::run_summary:
            return kSummary;
        case EvaluationKind::definition:
            break;
    }
    return kDefinition;
}

const Json& evaluations_schema() {
    static const Json kSchema = [] {
        const Json one = {
            {"oneOf",
             {evaluation_schema(EvaluationKind::definition),
              evaluation_schema(EvaluationKind::sample),
              evaluation_schema(EvaluationKind::run_summary)}},
        };
        Json out = one;
        out["oneOf"].push_back(
            {{"type", "array"}, {"minItems", 1}, {"maxItems", kEvaluationsMax}, {"items", one}}
        );
        return out;
    }();
    return kSchema;
}

Result<NewEvaluations> create_evaluations(const Request& request, const Json& body) {
    if (body.is_array()) {
        LAB_TRY(const auto several, read_several(body));
        LAB_TRY(auto made, create_nouns(request, several));
        NewEvaluations out{.shown = Json::array(), .count = made.size()};
        for (Json& one : made) {
            out.shown.push_back(std::move(one));
        }
        return out;
    }
    LAB_TRY(const NewNoun one, read_one(body));
    LAB_TRY(Shown made, create_noun(request, *one.noun, one.body));
    return NewEvaluations{.shown = std::move(made.json), .revision = made.revision, .count = 1};
}

Result<Shown> update_evaluation(
    const Request& request,
    const std::string& id,
    const Json& changes,
    std::optional<std::int64_t> if_revision
) {
    LAB_TRY(const Resource one, need_noun(request, evaluation_noun(), id, Deed::update));
    LAB_TRY(const Json body, parse_json(one.body));
    return update_noun(request, evaluation_noun(kind_in(body)), id, changes, if_revision);
}

}  // namespace lab::service
