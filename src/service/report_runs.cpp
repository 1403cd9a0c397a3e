#include "base/text.h"
#include "engine/columns.h"
#include "service/gates.h"
#include "service/impl/report_figures.h"
#include "service/item_source.h"
#include "service/runs.h"
#include "service/words.h"
#include "storage/store/journal.h"
#include "storage/store/runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <set>

namespace lab::service {
namespace {

/// One run with its stored results, opened for reading.
struct OpenRun {
    domain::Run run;
    const Experiment* experiment = nullptr;
    storage::Session* session = nullptr;
    engine::RunColumns columns;
    storage::Ledger ledger;
};

/// A variant of some run, as the report's columns name it.
struct Arm {
    std::size_t run = 0;
    std::size_t variant = 0;
    std::string id;
};

bool same_items(const engine::Items& a, const engine::Items& b) {
    bool same = a.count() == b.count();
    for (std::int64_t item = 0; same && item < a.count(); ++item) {
        same = a.row_of(item) == b.row_of(item);
    }
    return same;
}

class Builder {
  public:
    Builder(const Deps& deps, std::vector<OpenRun>& runs) : deps_(deps), runs_(runs) {}

    Result<report::Report> build() {
        report_.software_version = deps_.software_version;
        report_.confidence = spec().analysis.confidence;
        describe_runs();
        LAB_CHECK(line_up_metrics());
        line_up_arms();
        for (const Arm& arm : arms_) {
            report_.variants.push_back(summarize(arm));
        }
        analyse();
        add_totals();
        add_errors();
        add_warnings();
        report_.hypothesis = hypothesis_words(spec(), report_);
        report_.methods = method_words(spec(), report_);
        report_.answer = answer_words(spec(), report_);
        if (runs_.size() == 1) {
            report_.gates = judge_gates(spec(), report_);
        }
        return std::move(report_);
    }
    /// Of each metric of the report, the slot of run `r` that gives it. After build().
    std::vector<std::size_t> slots_of(std::size_t r) const {
        std::vector<std::size_t> out;
        for (const std::vector<std::size_t>& where : slots_) {
            out.push_back(where[r]);
        }
        return out;
    }

  private:
    const domain::ExperimentSpec& spec() const { return runs_[0].experiment->spec; }
    const engine::ScoreBook& book() const { return *runs_[0].experiment->scores; }

    void describe_runs() {
        for (const OpenRun& open : runs_) {
            const Experiment& e = *open.experiment;
            report::RunInfo info;
            info.id = open.run.id;
            info.experiment = open.run.experiment_name;
            info.number = open.run.number;
            info.description = e.spec.description;
            info.tags = e.spec.tags;
            info.state = to_string(open.run.state);
            info.stop_reason = open.run.stop_reason;
            info.created_at = open.run.created_at;
            info.started_at = open.run.started_at;
            info.completed_at = open.run.completed_at;
            info.manifest = open.run.manifest;
            info.dataset = e.dataset.name + "@" + std::to_string(e.dataset.version);
            info.dataset_hash = e.dataset.content_hash;
            info.items = e.items->count();
            info.repetitions = e.spec.run.repetitions;
            info.seed = e.spec.run.seed;
            report_.runs.push_back(std::move(info));
        }
    }

    /// Runs are compared on the metrics they share, with the same signature.
    Status line_up_metrics() {
        const std::vector<engine::MetricSlot>& first = book().slots();
        for (std::size_t slot = 0; slot < first.size(); ++slot) {
            std::vector<std::size_t> where{slot};
            for (std::size_t r = 1; r < runs_.size(); ++r) {
                const auto& slots = runs_[r].experiment->scores->slots();
                const auto same = std::ranges::find_if(slots, [&](const engine::MetricSlot& other) {
                    return other.info.name == first[slot].info.name &&
                           other.info.signature == first[slot].info.signature;
                });
                if (same == slots.end()) {
                    break;
                }
                where.push_back(static_cast<std::size_t>(same - slots.begin()));
            }
            if (where.size() == runs_.size()) {
                slots_.push_back(std::move(where));
                report_.metrics.push_back(
                    {.info = first[slot].info,
                     .primary = first[slot].primary,
                     .scorer = book().scorer_name(first[slot].scorer)}
                );
            }
        }
        if (report_.metrics.empty()) {
            return Error(
                Code::validation, "these runs have no metric in common: nothing can be compared"
            );
        }
        return ok();
    }

    void line_up_arms() {
        const bool one_experiment = std::ranges::all_of(runs_, [&](const OpenRun& open) {
            return open.run.experiment_name == runs_[0].run.experiment_name;
        });
        for (std::size_t r = 0; r < runs_.size(); ++r) {
            const domain::Run& run = runs_[r].run;
            const auto& variants = runs_[r].experiment->spec.variants;
            std::string prefix = one_experiment ? "" : run.experiment_name + " ";
            prefix += "#" + std::to_string(run.number) + " ";
            for (std::size_t v = 0; v < variants.size(); ++v) {
                arms_.push_back({r, v, (runs_.size() == 1 ? "" : prefix) + variants[v].id});
            }
        }
        baseline_ = 0;
        const std::string wanted = baseline_of(spec());
        for (std::size_t i = 0; i < spec().variants.size(); ++i) {
            if (spec().variants[i].id == wanted) {
                baseline_ = i;
            }
        }
    }

    report::VariantSummary summarize(const Arm& arm) const {
        const OpenRun& open = runs_[arm.run];
        const engine::VariantColumns& column = open.columns.variants[arm.variant];
        const domain::ExperimentSpec& own = open.experiment->spec;
        const domain::Variant& variant = own.variants[arm.variant];
        report::VariantSummary out;
        out.id = arm.id;
        out.model = own.models[variant.model].model;
        out.provider = own.models[variant.model].provider;
        out.prompt = own.prompts[variant.prompt].id;
        out.parameters = dump_json(variant.parameters);
        out.baseline = static_cast<std::size_t>(&arm - arms_.data()) == baseline_;
        out.planned = column.planned;
        out.done = column.done;
        out.missing = column.planned - column.done;
        out.unparsed = column.unparsed;
        out.truncated = column.truncated;
        out.refused = column.refused;
        out.cached = column.cached;
        out.replayed = column.replayed;
        out.usage = column.usage;
        out.counted = column.counted;
        out.estimated = column.estimated;
        out.unpriced = column.unpriced;
        out.cost = column.unpriced > 0 ? std::nullopt : std::optional(column.cost);
        out.latency = latency_of(column.latency_s);
        out.time_to_first_token = latency_of(column.time_to_first_token_s);
        out.latency_histogram = histogram(column.latency_s, 40);
        for (const std::vector<std::size_t>& where : slots_) {
            out.score_histograms.push_back(histogram(column.values[where[arm.run]], 20));
        }
        return out;
    }

    std::vector<science::VariantPair> pairs() const {
        std::vector<science::VariantPair> out;
        const bool all = spec().analysis.compare == domain::Compare::all_pairs && runs_.size() == 1;
        for (std::size_t a = 0; a < arms_.size(); ++a) {
            if (all) {
                // The later against the earlier, so that the difference reads "new - old".
                for (std::size_t b = 0; b < a; ++b) {
                    out.push_back({a, b});
                }
            } else if (a != baseline_) {
                out.push_back({a, baseline_});
            }
        }
        return out;
    }

    science::AnalysisOptions options() const {
        const domain::ExperimentSpec& own = spec();
        science::AnalysisOptions out;
        out.confidence = own.analysis.confidence;
        out.alpha = own.hypothesis ? own.hypothesis->alpha : 0.05;
        out.mcnemar = own.analysis.mcnemar;
        out.correction = own.analysis.correction;
        out.bootstrap_replicates = static_cast<int>(own.analysis.bootstrap);
        out.seed = own.run.seed;
        return out;
    }

    void analyse() {
        const std::vector<science::VariantPair> which = pairs();
        const std::vector<int> clusters =
            engine::clusters_of(*runs_[0].experiment->items, spec().analysis.cluster);
        std::vector<science::Comparison> family;
        std::vector<std::size_t> family_rows;
        for (std::size_t m = 0; m < slots_.size(); ++m) {
            const science::MetricInfo& info = report_.metrics[m].info;
            std::vector<science::MetricSample> samples;
            for (const Arm& arm : arms_) {
                samples.push_back(sample_of(arm, m, info, clusters));
            }
            science::AnalysisOptions how = options();
            const std::optional<domain::Hypothesis>& hypothesis = spec().hypothesis;
            if (hypothesis && hypothesis->metric == info.name) {
                how.minimum_effect = hypothesis->minimum_effect;
            }
            science::MetricAnalysis analysis = science::analyse(samples, which, how);
            for (std::size_t i = 0; i < arms_.size(); ++i) {
                report_.variants[i].metrics.push_back(std::move(analysis.estimates[i]));
            }
            for (std::size_t i = 0; i < which.size(); ++i) {
                const bool primary = report_.metrics[m].primary;
                if (primary) {
                    family_rows.push_back(report_.comparisons.size());
                    family.push_back(analysis.comparisons[i]);
                }
                report_.comparisons.push_back(
                    {.metric = m,
                     .a = which[i].a,
                     .b = which[i].b,
                     .primary = primary,
                     .comparison = std::move(analysis.comparisons[i])}
                );
            }
        }
        science::apply_family(family, options());
        for (std::size_t i = 0; i < family.size(); ++i) {
            report_.comparisons[family_rows[i]].comparison = std::move(family[i]);
        }
    }

    science::MetricSample sample_of(
        const Arm& arm,
        std::size_t metric,
        const science::MetricInfo& info,
        const std::vector<int>& clusters
    ) const {
        const OpenRun& open = runs_[arm.run];
        const std::size_t slot = slots_[metric][arm.run];
        const engine::VariantColumns& column = open.columns.variants[arm.variant];
        const engine::ScoreBook* scores = &*open.experiment->scores;
        science::MetricSample out;
        out.kind = info.kind;
        out.higher_is_better = info.higher_is_better;
        out.repetitions = open.experiment->spec.run.repetitions;
        out.values = column.values[slot];
        out.clusters = clusters;
        out.minimum = info.minimum;
        out.maximum = info.maximum;
        out.lost = column.lost;
        if (!column.answered.empty()) {
            out.answered = column.answered[slot];
            out.inside = column.inside[slot];
        }
        if (info.kind == science::MetricKind::corpus) {
            out.stats = column.stats[slot];
            out.stats_size = info.stats_size;
            out.aggregate = [scores, slot](std::span<const double> sums) {
                return scores->aggregate(slot, sums);
            };
        }
        out.wording = science::wording_for(info);
        return out;
    }

    void add_totals() {
        report::Totals& t = report_.totals;
        bool priced = true;
        t.cost = Money();
        for (std::size_t i = 0; i < report_.variants.size(); ++i) {
            const report::VariantSummary& v = report_.variants[i];
            const engine::VariantColumns& column =
                runs_[arms_[i].run].columns.variants[arms_[i].variant];
            t.planned += v.planned;
            t.done += v.done;
            t.missing += v.missing;
            t.failed += column.failed;
            t.unparsed += v.unparsed;
            t.refused += v.refused;
            t.counted += v.counted;
            t.estimated += v.estimated;
            t.cached += v.cached;
            t.replayed += v.replayed;
            t.retries += column.retries;
            t.usage.input += v.usage.input;
            t.usage.cache_read += v.usage.cache_read;
            t.usage.cache_write += v.usage.cache_write;
            t.usage.output += v.usage.output;
            t.usage.reasoning += v.usage.reasoning;
            t.usage.estimated = t.usage.estimated || v.usage.estimated;
            priced = priced && v.cost.has_value();
            *t.cost += v.cost.value_or(Money());
        }
        if (!priced) {
            t.cost.reset();
        }
        for (const OpenRun& open : runs_) {
            t.calls += open.ledger.calls;
            t.uncertain += open.ledger.uncertain;
            t.uncertain_cost += open.ledger.uncertain_cost;
        }
    }

    void add_errors() {
        for (const OpenRun& open : runs_) {
            for (const engine::ErrorTally& tally : open.columns.errors) {
                report_.errors.push_back({tally.code, tally.message, tally.count});
            }
        }
    }

    void add_warnings() {
        for (const OpenRun& open : runs_) {
            if (open.run.state != domain::RunState::completed) {
                report_.warnings.push_back(
                    "Run " + open.run.id + " is " + std::string(to_string(open.run.state)) +
                    (open.run.stop_reason.empty() ? "" : " (" + open.run.stop_reason + ")") +
                    ": the figures cover what was stored, not what was planned."
                );
            } else if (!open.run.stop_reason.empty()) {
                // It did what it was to do, and all the same something is to be said about it.
                report_.warnings.push_back(
                    "Run " + open.run.id + ": " + open.run.stop_reason + "."
                );
            }
        }
        const report::Totals& t = report_.totals;
        if (t.uncertain > 0) {
            report_.warnings.push_back(
                std::to_string(t.uncertain) +
                " calls broke off after they were sent, or were in flight or about to be sent when "
                "a "
                "process ended: they may have been billed, at most $" +
                t.uncertain_cost.rounded(4) + " in all, and count against the budget."
            );
        }
        for (std::string& warning : output_warnings(report_)) {
            report_.warnings.push_back(std::move(warning));
        }
    }

    const Deps& deps_;
    std::vector<OpenRun>& runs_;
    report::Report report_;
    std::vector<std::vector<std::size_t>> slots_;  ///< [metric][run]: slot of that run
    std::vector<Arm> arms_;
    std::size_t baseline_ = 0;
};

}  // namespace

Result<std::unique_ptr<RunReport>> report_runs(
    const Ctx& ctx, const Deps& deps, const std::vector<std::string>& ids
) {
    LAB_ASSERT(!ids.empty(), "a report is about at least one run");
    LAB_TRY(storage::Database * database, deps.database(ctx));
    auto out = std::make_unique<RunReport>();
    std::vector<OpenRun> open;
    std::set<std::string> seen;
    for (const std::string& id : ids) {
        LAB_TRY(std::unique_ptr<storage::Session> session, database->open_session(ctx));
        OpenRun one;
        one.session = session.get();
        LAB_TRY(one.run, storage::Runs(*session).get(ctx, id));
        if (!seen.insert(one.run.id).second) {
            return Error(Code::validation, "run " + one.run.id + " is named twice");
        }
        if (!open.empty() && one.run.dataset_hash != open[0].run.dataset_hash) {
            return Error(
                Code::validation,
                "runs " + open[0].run.id + " and " + one.run.id +
                    " used different dataset versions: their items cannot be paired"
            );
        }
        LAB_TRY(const Json source, parse_json(one.run.spec));
        LAB_TRY(const Json manifest, parse_json(one.run.manifest));
        LAB_TRY(
            std::unique_ptr<Experiment> experiment,
            load_stored_experiment(
                ctx,
                deps,
                source,
                manifest.value("base_folder", "."),
                one.run.dataset_hash,
                Purpose::report
            )
        );
        one.experiment = experiment.get();
        if (!open.empty() && !same_items(*experiment->items, *open[0].experiment->items)) {
            return Error(
                Code::validation,
                "runs " + open[0].run.id + " and " + one.run.id +
                    " selected different items of the dataset (split, limit, "
                    "sample): their items cannot be paired"
            );
        }
        storage::Journal journal(*session);
        LAB_TRY(
            one.columns,
            engine::collect(
                ctx,
                journal,
                one.run.key,
                *experiment->plan,
                *experiment->scores,
                experiment->spec.variants.size()
            )
        );
        LAB_TRY(one.ledger, journal.ledger(ctx, one.run.key));
        out->experiments.push_back(std::move(experiment));
        out->sessions.push_back(std::move(session));
        open.push_back(std::move(one));
    }
    Builder builder(deps, open);
    LAB_TRY(out->report, builder.build());
    std::vector<StoredItems::Part> parts;
    for (std::size_t r = 0; r < open.size(); ++r) {
        parts.push_back(
            {.run = open[r].run.key,
             .experiment = open[r].experiment,
             .session = open[r].session,
             .slots = builder.slots_of(r)}
        );
    }
    out->items = std::make_unique<StoredItems>(ctx, std::move(parts));
    return out;
}

}  // namespace lab::service
