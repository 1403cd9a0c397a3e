#include "service/run_samples.h"

#include "base/text.h"
#include "domain/spec_parse.h"
#include "service/experiment.h"
#include "service/experiments.h"
#include "service/impl/judging.h"
#include "storage/store/client_runs.h"
#include "storage/store/journal.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <memory>

namespace lab::service {
namespace {

using domain::Deed;
using domain::Permission;
using domain::Run;
using domain::SampleResult;
using domain::SampleState;

constexpr std::int64_t kReadMax = 20'000;
constexpr std::array<std::string_view, 5> kOutcomes = {
    "correct", "incorrect", "scored", "unparsed", "error"
};

/// What it takes to show samples of one run of the engine.
class Shower {
  public:
    static Result<Shower> make(const Request& request, const Run& run, bool with_item) {
        Shower out;
        LAB_TRY(const Json source, parse_json(run.spec));
        if (with_item) {
            LAB_TRY(
                out.whole_,
                load_stored_experiment(
                    request.ctx, request.deps, source, "/", run.dataset_hash, Purpose::report
                )
            );
            return out;
        }
        LAB_TRY(out.spec_, domain::parse_spec(source, *request.deps.vocabulary));
        LAB_TRY(auto scores, engine::ScoreBook::make(out.spec_));
        out.scores_ = std::make_unique<engine::ScoreBook>(std::move(scores));
        return out;
    }

    const domain::ExperimentSpec& spec() const { return whole_ ? whole_->spec : spec_; }

    Result<Json> show(const SampleResult& sample) const {
        Json out = facts(sample);
        LAB_CHECK(add_scores(sample, out));
        if (whole_) {
            LAB_CHECK(add_item(sample, out));
        }
        return out;
    }

  private:
    const engine::ScoreBook& book() const { return whole_ ? *whole_->scores : *scores_; }

    Json facts(const SampleResult& sample) const {
        Json out = Json::object();
        out["id"] = std::to_string(sample.index);
        out["index"] = sample.index;
        out["item_id"] = sample.item_id;
        const auto variant = static_cast<std::size_t>(sample.variant);
        const auto& variants = spec().variants;
        out["variant"] = variant < variants.size() ? Json(variants[variant].id) : Json();
        out["repetition"] = sample.repetition;
        out["status"] = sample.state == SampleState::done ? "done" : "failed";
        out["outcome"] = nullptr;
        out["output"] = sample.output;
        out["scores"] = Json::object();
        out["extracted"] = Json::object();
        out["usage"] = {
            {"input_tokens", sample.usage.input},
            {"cache_read_tokens", sample.usage.cache_read},
            {"cache_write_tokens", sample.usage.cache_write},
            {"output_tokens", sample.usage.output},
            {"reasoning_tokens", sample.usage.reasoning},
            {"estimated", sample.usage.estimated},
        };
        using Milliseconds = std::chrono::duration<double, std::milli>;
        out["latency_ms"] = Milliseconds(sample.latency).count();
        out["time_to_first_token_ms"] =
            sample.time_to_first_token ? Json(Milliseconds(*sample.time_to_first_token).count())
                                       : Json();
        out["cost"] = sample.cost ? Json(sample.cost->exact()) : Json();
        out["attempts"] = sample.attempts;
        out["cached"] = sample.cached;
        out["replayed"] = sample.replayed;
        out["finish_reason"] = sample.finish_reason.empty() ? Json() : Json(sample.finish_reason);
        out["error"] = sample.error_code.empty()
                           ? Json()
                           : Json{{"code", sample.error_code}, {"message", sample.error_message}};
        return out;
    }

    /// Scores by the metric's name, and what they say together: the first primary metric decides.
    Status add_scores(const SampleResult& sample, Json& out) const {
        if (sample.state == SampleState::failed) {
            out["outcome"] = "error";
            return ok();
        }
        LAB_TRY(const auto scores, engine::decode_scores(sample.scores, book()));
        const auto& slots = book().slots();
        std::size_t deciding = 0;
        for (std::size_t i = slots.size(); i > 0; --i) {
            deciding = slots[i - 1].primary ? i - 1 : deciding;
        }
        for (std::size_t i = 0; i < slots.size(); ++i) {
            const double value = scores.values[i];
            out["scores"][slots[i].info.name] = std::isfinite(value) ? Json(value) : Json();
        }
        for (std::size_t i = 0; i < book().scorers(); ++i) {
            if (!scores.extracted[i].empty()) {
                out["extracted"][book().scorer_name(i)] = scores.extracted[i];
            }
        }
        const engine::MetricSlot& slot = slots[deciding];
        const double value = scores.values[deciding];
        out["outcome"] = !scores.parsed[slot.scorer]                     ? "unparsed"
                         : slot.info.kind != science::MetricKind::binary ? "scored"
                         : (value != 0) == slot.info.higher_is_better    ? "correct"
                                                                         : "incorrect";
        return ok();
    }

    Status add_item(const SampleResult& sample, Json& out) const {
        const auto variant = static_cast<std::size_t>(sample.variant);
        const Json row = whole_->items->load(sample.item);
        LAB_TRY(
            const auto messages,
            whole_->renderer->render(spec().variants[variant].prompt, row, sample.item)
        );
        out["item"] = row;
        out["prompt"] = Json::array();
        for (const domain::Message& message : messages) {
            out["prompt"].push_back({{"role", message.role}, {"content", message.content}});
        }
        out["references"] = whole_->scores->references(0, row);
        return ok();
    }

    domain::ExperimentSpec spec_;
    std::unique_ptr<engine::ScoreBook> scores_;
    std::unique_ptr<Experiment> whole_;
};

bool has_tag(const Json& item, const std::string& tag) {
    if (!item.is_object() || !item.contains("tags")) {
        return false;
    }
    const Json& tags = item["tags"];
    return tags == tag || (tags.is_array() && std::ranges::find(tags, Json(tag)) != tags.end());
}

bool text_holds(const Json& value, const std::string& lower) {
    return value.is_string() && to_lower(value.get<std::string>()).find(lower) != std::string::npos;
}

/// The same for both kinds of runs.
bool passes(const Json& row, const SampleQuery& query) {
    const auto equals = [&](const char* member, const std::optional<std::string>& wanted) {
        return !wanted || (row.contains(member) && row[member] == *wanted);
    };
    if (!equals("variant", query.variant) || !equals("status", query.status) ||
        !equals("outcome", query.outcome)) {
        return false;
    }
    if (query.tag && !has_tag(row.value("item", Json()), *query.tag)) {
        return false;
    }
    if (!query.text) {
        return true;
    }
    const std::string lower = to_lower(*query.text);
    return text_holds(row.value("output", Json()), lower) ||
           text_holds(row.value("item_id", Json()), lower);
}

Status check_query(const SampleQuery& query) {
    std::vector<Detail> problems;
    if (query.status && *query.status != "done" && *query.status != "failed") {
        problems.push_back({"status", "must be done or failed"});
    }
    if (query.outcome && std::ranges::find(kOutcomes, *query.outcome) == kOutcomes.end()) {
        problems.push_back({"outcome", "must be correct, incorrect, scored, unparsed or error"});
    }
    return problems.empty()
               ? ok()
               : Status(Error(Code::validation, "no sample is ever like that", std::move(problems))
                 );
}

Result<Json> client_sample_json(const storage::ClientSample& one) {
    LAB_TRY(Json row, parse_json(one.body));
    row["id"] = one.client_id;
    row["index"] = one.number;
    row["created_at"] = one.created_at;
    return row;
}

Result<SampleList> list_client_samples(
    const Request& request, const Run& run, const SampleQuery& query
) {
    constexpr std::int64_t kBlock = 500;
    storage::ClientRuns clients(request.session);
    SampleList out;
    out.last = query.after;
    std::int64_t skip = query.offset;
    for (std::int64_t read = 0; read < kReadMax; read += kBlock) {
        LAB_TRY(const auto found, clients.list_samples(request.ctx, run.key, out.last, kBlock));
        for (const storage::ClientSample& one : found) {
            if (std::ssize(out.rows) == query.limit) {
                out.more = true;
                return out;
            }
            LAB_TRY(Json row, client_sample_json(one));
            out.last = one.number;
            if (passes(row, query) && skip-- <= 0) {
                out.rows.push_back(std::move(row));
            }
        }
        if (std::ssize(found) < kBlock) {
            return out;
        }
    }
    out.more = true;
    return out;
}

Result<SampleList> list_engine_samples(
    const Request& request, const Run& run, const SampleQuery& query
) {
    if (!awaited_outputs(run).empty()) {
        return SampleList{};  // it has no rows yet
    }
    LAB_TRY(
        const Shower shower, Shower::make(request, run, query.with_item || query.tag.has_value())
    );
    storage::Journal journal(request.session);
    SampleList out;
    out.last = query.after;
    std::int64_t skip = query.offset;
    // What a filter leaves out counts as read.
    const std::int64_t end = std::min(run.planned, query.after + 1 + kReadMax);
    std::int64_t at = query.after + 1;
    while (at < end && !out.more) {
        // One more than asked for tells whether there are more.
        const std::int64_t next = std::min(end, at + query.offset + query.limit + 1);
        LAB_CHECK(journal.scan_range(
            request.ctx,
            run.key,
            at,
            next,
            [&](const SampleResult& sample) -> Status {
                if (std::ssize(out.rows) == query.limit) {
                    out.more = true;
                    return ok();
                }
                out.last = sample.index;
                LAB_TRY(Json row, shower.show(sample));
                if (passes(row, query) && skip-- <= 0) {
                    out.rows.push_back(std::move(row));
                }
                return ok();
            }
        ));
        at = next;
    }
    if (!out.more && end < run.planned) {
        out.more = true;
        out.last = end - 1;
    }
    return out;
}

Result<storage::RowCount> count_samples(const Request& request, const Run& run) {
    if (run.origin == "client") {
        LAB_TRY(const std::int64_t reported, count_client_samples(request, run.key));
        return storage::RowCount{reported};
    }
    return storage::Journal(request.session).count(request.ctx, run.key);
}

}  // namespace

Result<SampleList> list_samples(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const SampleQuery& query
) {
    LAB_CHECK(require(request.caller, Permission::read_metrics));
    LAB_TRY(const Run found, need_run(request, experiment, run, Deed::read));
    return samples_of(request, found, query);
}

Result<SampleList> samples_of(const Request& request, const Run& found, const SampleQuery& query) {
    LAB_CHECK(check_query(query));
    LAB_TRY(
        SampleList out,
        found.origin == "client" ? list_client_samples(request, found, query)
                                 : list_engine_samples(request, found, query)
    );
    if (!query.has_filter()) {
        LAB_TRY(out.total, count_samples(request, found));
    }
    return out;
}

Result<Json> get_sample(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::string& sample
) {
    LAB_CHECK(require(request.caller, Permission::read_metrics));
    LAB_TRY(const Run found, need_run(request, experiment, run, Deed::read));
    if (found.origin == "client") {
        storage::ClientRuns clients(request.session);
        LAB_TRY(const auto one, clients.find_sample(request.ctx, found.key, sample));
        if (!one) {
            return no_such("sample");
        }
        return client_sample_json(*one);
    }
    std::int64_t index = 0;
    const char* const end = sample.data() + sample.size();
    const auto parsed = std::from_chars(sample.data(), end, index);
    if (parsed.ec != std::errc() || parsed.ptr != end || index < 0 || index >= found.planned) {
        return no_such("sample");
    }
    storage::Journal journal(request.session);
    LAB_TRY(const auto stored, journal.find(request.ctx, found.key, index));
    if (!stored) {
        return Error(Code::not_found, "this sample is not finished yet");
    }
    LAB_TRY(const Shower shower, Shower::make(request, found, true));
    return shower.show(*stored);
}

}  // namespace lab::service
