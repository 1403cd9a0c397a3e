#include "service/run_reports.h"

#include "service/impl/client_report.h"
#include "service/impl/score_summary.h"
#include "service/runs.h"
#include "service/text_cache.h"
#include "storage/store/journal.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace lab::service {
namespace {

constexpr std::int64_t kRunsAtOnce = 100;
constexpr std::size_t kReportBytesMax = 256U << 20;

/// Another run somebody names: found by its id alone, and only if its experiment may be seen.
Result<domain::Run> need_visible(const Request& request, const std::string& id) {
    storage::Runs runs(request.session);
    auto found = runs.get(request.ctx, id);
    if (!found) {
        return found.error().code == Code::not_found ? no_such("run") : found.error();
    }
    const auto whose =
        need_noun(request, experiment_noun(), found->experiment_id, domain::Deed::read);
    if (!whose && whose.error().code == Code::not_found) {
        return no_such("run");  // the same words: that there is one is nobody else's business
    }
    LAB_CHECK(whose);
    return found;
}

/// All runs of an experiment, newest first, until `on_run` says false.
Status each_run(
    const Request& request,
    std::int64_t experiment_key,
    const std::function<Result<bool>(const domain::Run&)>& on_run
) {
    storage::Runs runs(request.session);
    std::int64_t below = std::numeric_limits<std::int64_t>::max();
    while (true) {
        LAB_CHECK(request.ctx.check());
        LAB_TRY(const auto found, runs.list_in(request.ctx, experiment_key, kRunsAtOnce, 0, below));
        for (const domain::Run& run : found) {
            LAB_TRY(const bool more, on_run(run));
            if (!more) {
                return ok();
            }
            below = run.number;
        }
        if (std::ssize(found) < kRunsAtOnce) {
            return ok();
        }
    }
}

/// What a report of these runs is kept under; empty while one of them may still change.
std::string cache_name(const std::vector<domain::Run>& runs, report::Format format) {
    std::string out = std::to_string(static_cast<int>(format));
    for (const domain::Run& run : runs) {
        if (run.state != domain::RunState::completed) {
            return "";
        }
        out += " " + run.id + " " + run.completed_at;
    }
    return out;
}

/// Everything was asked that has to be: who asks may see all of the runs.
Result<std::string> render(
    const Request& request, const std::vector<domain::Run>& runs, report::Format format
) {
    TextCache* const cache = request.deps.report_cache;
    const std::string name = cache == nullptr ? "" : cache_name(runs, format);
    if (!name.empty()) {
        if (const auto kept = cache->find(name)) {
            return *kept;
        }
    }
    std::vector<std::string> ids;
    for (const domain::Run& run : runs) {
        ids.push_back(run.id);
    }
    auto made = runs.front().origin == "client" ? report_client_run(request, runs.front())
                                                : report_runs(request.ctx, request.deps, ids);
    LAB_TRY(const auto built, std::move(made));
    std::string text;
    LAB_CHECK(report::write(
        built->report,
        built->items.get(),
        format,
        [&](std::string_view piece) -> Status {
            if (text.size() + piece.size() > kReportBytesMax) {
                return Error(
                    Code::payload_too_large, "the report is larger than can be sent whole"
                );
            }
            text += piece;
            return request.ctx.check();
        }
    ));
    if (!name.empty()) {
        cache->put(name, text);
    }
    return text;
}

/// Scores of all samples of one report: {name: {count, mean, std, min, max, p50, p95, p99}}. What
/// is computed of the whole set alone has the count and the mean of the variants.
Result<Json> aggregate(const RunReport& built) {
    const report::Report& report = built.report;
    std::vector<std::vector<double>> values(report.metrics.size());
    LAB_CHECK(built.items->each([&](const report::ItemRow& row) -> Status {
        for (const auto& of_variant : row.samples) {
            for (const report::ItemSample& sample : of_variant) {
                for (std::size_t m = 0; m < std::min(values.size(), sample.scores.size()); ++m) {
                    values[m].push_back(sample.scores[m]);
                }
            }
        }
        return ok();
    }));
    Json out = Json::object();
    for (std::size_t m = 0; m < report.metrics.size(); ++m) {
        Json entry = summary_of(std::move(values[m]));
        if (entry["count"] == 0) {
            RunningSummary of_variants;
            std::int64_t count = 0;
            for (const report::VariantSummary& variant : report.variants) {
                of_variants.add(variant.metrics[m].value);
                count += variant.metrics[m].n;
            }
            entry["count"] = count;
            if (of_variants.count() > 0) {
                entry["mean"] = of_variants.mean();
            }
        }
        out[report.metrics[m].info.name] = std::move(entry);
    }
    return out;
}

Json metrics_by_variant(const report::Report& report) {
    Json out = Json::object();
    for (const report::VariantSummary& variant : report.variants) {
        for (std::size_t m = 0; m < report.metrics.size(); ++m) {
            out[variant.id][report.metrics[m].info.name] = {
                {"value", variant.metrics[m].value},
                {"low", variant.metrics[m].interval.lo},
                {"high", variant.metrics[m].interval.hi},
                {"n", variant.metrics[m].n},
            };
        }
    }
    return out;
}

Json mean_latency_ms(const report::Report& report) {
    double sum = 0;
    std::int64_t count = 0;
    for (const report::VariantSummary& variant : report.variants) {
        if (variant.latency.n > 0) {
            sum += variant.latency.mean * static_cast<double>(variant.latency.n);
            count += variant.latency.n;
        }
    }
    return count == 0 ? Json() : Json(1000 * sum / static_cast<double>(count));
}

}  // namespace

namespace {

/// What an experiment's metrics are taken from: the newest run with results, whoever carried it
/// out.
struct Latest {
    std::string id;  ///< empty: none has results
    std::string origin;
    ClientTotals reported;
};

Json means_of(const ClientTotals& reported) {
    Json out = Json::object();
    for (const auto& [name, summary] : reported.scores) {
        if (summary.count() > 0) {
            out[name] = summary.mean();
        }
    }
    return out;
}

/// The members of the answer that come from one run.
Status add_latest(const Request& request, const Latest& latest, Json& out) {
    Json aggregated = Json::object();
    if (latest.origin == "client") {
        const ClientTotals& reported = latest.reported;
        if (reported.latency_ms.count() > 0) {
            out["avg_latency_ms"] = reported.latency_ms.mean();
        }
        for (const auto& [name, summary] : reported.scores) {
            aggregated[name] = summary.shown();
        }
    } else if (!latest.id.empty()) {
        LAB_TRY(const auto built, report_runs(request.ctx, request.deps, {latest.id}));
        out["avg_latency_ms"] = mean_latency_ms(built->report);
        LAB_TRY(aggregated, aggregate(*built));
        out["custom_metrics"] = metrics_by_variant(built->report);
        for (Json& run : out["runs"]) {
            if (run["run_id"] == latest.id) {
                for (const auto& [name, values] : aggregated.items()) {
                    run["metrics"][name] = values.value("mean", Json());
                }
            }
        }
    }
    // The accuracy is the metric of this name, or else exact_match, which goes by it too.
    for (const char* name : {"exact_match", "accuracy"}) {
        if (aggregated.contains(name)) {
            out["accuracy"] = aggregated[name].value("mean", Json());
        }
    }
    out["aggregated_metrics"] = std::move(aggregated);
    return ok();
}

}  // namespace

Result<Json> experiment_metrics(const Request& request, const std::string& experiment) {
    LAB_CHECK(require(request.caller, domain::Permission::read_metrics));
    LAB_TRY(
        const storage::Resource one,
        need_noun(request, experiment_noun(), experiment, domain::Deed::read)
    );
    storage::Journal journal(request.session);
    std::int64_t samples = 0;
    std::int64_t tokens = 0;
    Money cost;
    Latest latest;
    Json of_runs = Json::array();
    LAB_CHECK(each_run(request, one.key, [&](const domain::Run& run) -> Result<bool> {
        LAB_TRY(const storage::Ledger books, journal.ledger(request.ctx, run.key));
        LAB_TRY(const std::int64_t client, count_client_samples(request, run.key));
        LAB_TRY(const Json body, parse_json(run.body));
        const ClientTotals reported = ClientTotals::from(body);
        samples += books.done + client;
        tokens += books.usage.total() + reported.tokens;
        cost += books.settled + reported.cost;
        if (latest.id.empty() && books.done + reported.samples > 0) {
            latest = {.id = run.id, .origin = run.origin, .reported = reported};
        }
        Json metrics = means_of(reported);
        LAB_TRY(const Json points, client_metrics(request, run.key));
        metrics.update(points);
        of_runs.push_back({{"run_id", run.id}, {"metrics", std::move(metrics)}});
        return true;
    }));
    Json out = Json::object();
    out["experiment_id"] = one.id;
    out["total_samples"] = samples;
    out["avg_latency_ms"] = nullptr;
    out["total_tokens"] = tokens;
    out["total_cost"] = cost.exact();
    out["accuracy"] = nullptr;
    out["custom_metrics"] = Json::object();
    out["runs"] = std::move(of_runs);
    LAB_CHECK(add_latest(request, latest, out));
    return out;
}

Result<std::string> latest_reportable_run(const Request& request, const std::string& experiment) {
    LAB_CHECK(require(request.caller, domain::Permission::read_metrics));
    LAB_TRY(
        const storage::Resource one,
        need_noun(request, experiment_noun(), experiment, domain::Deed::read)
    );
    std::string out;
    LAB_CHECK(each_run(request, one.key, [&](const domain::Run& run) -> Result<bool> {
        if (run.origin == "client") {
            LAB_TRY(const Json body, parse_json(run.body));
            out = ClientTotals::from(body).samples > 0 ? run.id : "";
        } else if (run.state != domain::RunState::queued) {
            out = run.id;
        }
        return out.empty();
    }));
    if (!out.empty()) {
        return out;
    }
    return Error(Code::not_found, "this experiment has no run with results yet");
}

Result<std::string> render_run_report(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::vector<std::string>& others,
    report::Format format
) {
    LAB_CHECK(require(request.caller, domain::Permission::read_metrics));
    LAB_TRY(const domain::Run first, need_run(request, experiment, run, domain::Deed::read));
    std::vector<domain::Run> runs{first};
    for (const std::string& other : others) {
        LAB_TRY(runs.emplace_back(), need_visible(request, other));
    }
    const bool alone = runs.size() == 1;
    if (!alone &&
        std::ranges::any_of(runs, [](const domain::Run& one) { return one.origin == "client"; })) {
        return Error(
            Code::validation,
            "these runs cannot be compared",
            {{"compare", "runs that clients carried out are reported alone"}}
        );
    }
    return render(request, runs, format);
}

Result<std::size_t> warm_reports(const Request& request, std::int64_t runs_max) {
    LAB_TRY(const auto runs, storage::Runs(request.session).list(request.ctx, runs_max, 0));
    std::size_t out = 0;
    for (const domain::Run& run : runs) {
        if (run.origin != "engine" || run.state != domain::RunState::completed) {
            continue;
        }
        LAB_CHECK(request.ctx.check());
        const bool made = render(request, {run}, report::Format::json).has_value() &&
                          render(request, {run}, report::Format::html).has_value();
        out += made ? 1 : 0;
    }
    return out;
}

}  // namespace lab::service
