#include "service/impl/client_report.h"

#include "base/text.h"
#include "science/stats/analysis.h"
#include "science/stats/words.h"
#include "service/experiments.h"
#include "service/impl/report_figures.h"
#include "service/impl/score_summary.h"
#include "storage/store/client_runs.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <limits>
#include <map>

namespace lab::service {
namespace {

constexpr std::int64_t kBlock = 500;
constexpr std::int64_t kSamplesMax = 1'000'000;
constexpr std::size_t kVariantsMax = 100;
constexpr std::size_t kErrorsMax = 20;
constexpr std::size_t kErrorLength = 300;
constexpr const char* kClient = "client";
constexpr const char* kReported = "reported by the client";

Status each_sample(
    const Ctx& ctx,
    storage::Session& session,
    std::int64_t run,
    const std::function<Status(const storage::ClientSample&, const Json&)>& visit
) {
    storage::ClientRuns clients(session);
    std::int64_t last = 0;
    while (true) {
        LAB_CHECK(ctx.check());
        LAB_TRY(const auto found, clients.list_samples(ctx, run, last, kBlock));
        for (const storage::ClientSample& one : found) {
            LAB_TRY(const Json body, parse_json(one.body));
            LAB_CHECK(visit(one, body));
            last = one.number;
        }
        if (std::ssize(found) < kBlock) {
            return ok();
        }
    }
}

bool is_failed(const Json& sample) { return sample.value("status", "done") == "failed"; }

/// NaN: the sample has no such score.
double score_of(const Json& sample, const std::string& name) {
    const Json value = sample.value("scores", Json::object()).value(name, Json());
    return value.is_boolean()  ? (value.get<bool>() ? 1.0 : 0.0)
           : value.is_number() ? value.get<double>()
                               : std::numeric_limits<double>::quiet_NaN();
}

std::string error_of(const Json& sample) {
    const Json error = sample.value("error", Json::object());
    const Json message = error.value("message", Json());
    return shorten(
        message.is_string() ? message.get<std::string>() : dump_json(error), kErrorLength
    );
}

std::string variant_of(const Json& sample, const std::string& otherwise) {
    const std::string out = sample.value("variant", "");
    return out.empty() ? otherwise : out;
}

/// One item for each sample, in the order they came.
class ClientItems final : public report::ItemSource {
  public:
    ClientItems(
        const Request& request,
        std::int64_t run,
        std::int64_t count,
        std::vector<std::string> variants,
        std::vector<std::string> metrics,
        std::string otherwise
    )
        : request_(request),
          run_(run),
          count_(count),
          variants_(std::move(variants)),
          metrics_(std::move(metrics)),
          otherwise_(std::move(otherwise)) {}

    std::int64_t count() const override { return count_; }
    Status each(const std::function<Status(const report::ItemRow&)>& visit) const override {
        std::int64_t item = 0;
        return each_sample(
            request_.ctx,
            request_.session,
            run_,
            [&](const storage::ClientSample& one, const Json& sample) -> Status {
                report::ItemRow row;
                row.item = item++;
                row.id = one.client_id;
                row.input = sample.value("input", "");
                row.reference = sample.value("expected_output", "");
                row.samples.resize(variants_.size());
                const auto at = std::ranges::find(variants_, variant_of(sample, otherwise_));
                if (at != variants_.end()) {  // else it came after the figures were added up
                    row.samples[static_cast<std::size_t>(at - variants_.begin())].push_back(
                        shown(sample)
                    );
                }
                return visit(row);
            }
        );
    }

  private:
    report::ItemSample shown(const Json& sample) const {
        report::ItemSample out;
        out.present = true;
        out.failed = is_failed(sample);
        out.output = sample.value("output", "");
        if (out.failed) {
            out.error = error_of(sample);
            return out;
        }
        for (const std::string& name : metrics_) {
            out.scores.push_back(score_of(sample, name));
        }
        return out;
    }

    const Request& request_;
    std::int64_t run_;
    std::int64_t count_;
    std::vector<std::string> variants_;
    std::vector<std::string> metrics_;
    std::string otherwise_;
};

/// What the samples of one variant come to.
struct Collected {
    report::VariantSummary summary;
    std::vector<float> latency_s;
    std::map<std::string, std::vector<double>> scores;
};

class ClientReport {
  public:
    ClientReport(const Request& request, domain::Run run)
        : request_(request),
          run_(std::move(run)),
          otherwise_(run_.name.empty() ? "run " + std::to_string(run_.number) : run_.name) {}

    Result<std::unique_ptr<RunReport>> build() {
        LAB_CHECK(each_sample(
            request_.ctx,
            request_.session,
            run_.key,
            [this](const storage::ClientSample&, const Json& sample) { return add(sample); }
        ));
        if (variants_.empty()) {
            LAB_CHECK(variant(otherwise_));
        }
        report_.software_version = request_.deps.software_version;
        describe();
        LAB_TRY(const Json logged, client_metrics(request_, run_.key));
        name_metrics(logged);
        for (const std::string& id : order_) {
            finish(variants_[id], logged, id == order_.front());
        }
        say();
        std::vector<std::string> metrics;
        for (const report::MetricColumn& metric : report_.metrics) {
            metrics.push_back(metric.info.name);
        }
        auto out = std::make_unique<RunReport>();
        out->report = std::move(report_);
        out->items = std::make_unique<ClientItems>(
            request_, run_.key, samples_, std::move(order_), std::move(metrics), otherwise_
        );
        return out;
    }

  private:
    Result<Collected*> variant(const std::string& id) {
        const auto found = variants_.find(id);
        if (found != variants_.end()) {
            return &found->second;
        }
        if (variants_.size() == kVariantsMax) {
            return Error(
                Code::payload_too_large,
                "the samples of this run are of more than " + std::to_string(kVariantsMax) +
                    " variants: a report has not so many columns"
            );
        }
        order_.push_back(id);
        Collected& out = variants_[id];
        out.summary.id = id;
        out.summary.provider = kClient;
        out.summary.parameters = "{}";
        out.summary.cost = Money();
        return &out;
    }

    Status add(const Json& sample) {
        if (++samples_ > kSamplesMax) {
            return Error(Code::payload_too_large, "a report takes at most a million samples");
        }
        LAB_TRY(Collected * to, variant(variant_of(sample, otherwise_)));
        report::VariantSummary& sum = to->summary;
        ++sum.planned;
        const Json usage = sample.value("usage", Json::object());
        sum.usage.input += usage.value("input_tokens", std::int64_t{0});
        sum.usage.cache_read += usage.value("cache_read_tokens", std::int64_t{0});
        sum.usage.cache_write += usage.value("cache_write_tokens", std::int64_t{0});
        sum.usage.output += usage.value("output_tokens", std::int64_t{0});
        sum.usage.reasoning += usage.value("reasoning_tokens", std::int64_t{0});
        if (const auto cost = Money::parse(sample.value("cost", "0")); cost && sum.cost) {
            *sum.cost += *cost;
        }
        if (is_failed(sample)) {
            ++sum.missing;
            add_error(error_of(sample));
            return ok();
        }
        ++sum.done;
        sum.counted += usage.empty() ? 0 : 1;
        if (sample.contains("latency_ms")) {
            to->latency_s.push_back(static_cast<float>(sample["latency_ms"].get<double>() / 1000));
        }
        for (const auto& [name, value] : sample.value("scores", Json::object()).items()) {
            const double score = score_of(sample, name);
            if (std::isfinite(score) &&
                (names_.contains(name) || names_.size() < ClientTotals::kScoresMax)) {
                bool& is_share = names_.emplace(name, true).first->second;
                is_share = is_share && (score == 0 || score == 1);
                to->scores[name].push_back(score);
            }
        }
        return ok();
    }

    void add_error(const std::string& message) {
        const auto same = std::ranges::find(report_.errors, message, &report::ErrorCount::message);
        if (same != report_.errors.end()) {
            ++same->count;
        } else if (report_.errors.size() < kErrorsMax) {
            report_.errors.push_back({.code = kClient, .message = message, .count = 1});
        } else {
            ++report_.errors.back().count;
        }
    }

    void describe() {
        report::RunInfo info;
        info.id = run_.id;
        info.experiment = run_.experiment_name;
        info.number = run_.number;
        info.description = run_.name;
        info.state = to_string(run_.state);
        info.stop_reason = run_.stop_reason;
        info.created_at = run_.created_at;
        info.started_at = run_.started_at;
        info.completed_at = run_.completed_at;
        info.manifest = run_.manifest.empty() ? "{}" : run_.manifest;
        info.dataset = kReported;
        info.items = samples_;
        report_.runs.push_back(std::move(info));
    }

    /// Scores first, then what was logged under a name of its own.
    void name_metrics(const Json& logged) {
        const auto add = [this](const std::string& name, bool is_share, const char* signature) {
            constexpr double kAny = std::numeric_limits<double>::infinity();
            science::MetricInfo info;
            info.name = name;
            info.kind = is_share ? science::MetricKind::binary : science::MetricKind::continuous;
            info.minimum = is_share ? 0 : -kAny;
            info.maximum = is_share ? 1 : kAny;
            info.signature = signature;
            report_.metrics.push_back({.info = std::move(info), .primary = true, .scorer = kClient}
            );
        };
        for (const auto& [name, is_share] : names_) {
            add(name, is_share, kReported);
        }
        for (const auto& [name, value] : logged.items()) {
            if (!names_.contains(name) && report_.metrics.size() < ClientTotals::kScoresMax) {
                add(name, false, "logged by the client: the last value");
            }
        }
    }

    void finish(Collected& one, const Json& logged, bool first) {
        report::VariantSummary& sum = one.summary;
        sum.baseline = first;
        sum.latency = latency_of(one.latency_s);
        sum.time_to_first_token = latency_of({});
        sum.latency_histogram = histogram(one.latency_s, 40);
        for (const report::MetricColumn& metric : report_.metrics) {
            std::vector<double> values;
            const bool is_score = names_.contains(metric.info.name);
            if (is_score) {
                values = one.scores[metric.info.name];
            } else if (first) {  // it is of the whole run
                values = {logged[metric.info.name].get<double>()};
            }
            science::MetricSample sample;
            sample.kind = metric.info.kind;
            sample.values = values;
            sample.minimum = metric.info.minimum;
            sample.maximum = metric.info.maximum;
            sample.wording = science::wording_for(metric.info);
            science::Estimate figure = science::estimate(sample, {});
            figure.missing = is_score ? sum.done - figure.n : 0;
            sum.metrics.push_back(std::move(figure));
            sum.score_histograms.push_back(histogram(values, 20));
        }
        report::Totals& all = report_.totals;
        all.planned += sum.planned;
        all.done += sum.done;
        all.missing += sum.missing;
        all.failed += sum.missing;
        all.counted += sum.counted;
        all.usage.input += sum.usage.input;
        all.usage.cache_read += sum.usage.cache_read;
        all.usage.cache_write += sum.usage.cache_write;
        all.usage.output += sum.usage.output;
        all.usage.reasoning += sum.usage.reasoning;
        all.cost = all.cost.value_or(Money()) + sum.cost.value_or(Money());
        report_.variants.push_back(std::move(sum));
    }

    void say() {
        report_.answer = "A client carried this run out and reported " + std::to_string(samples_) +
                         (samples_ == 1 ? " sample." : " samples.");
        report_.methods.emplace_back(
            "Outputs, scores, tokens and costs are what the client reported; figures and intervals "
            "are computed of its scores, each sample on its own. Variants stand beside each other "
            "and are not compared, because nothing says which samples belong together."
        );
        if (run_.state != domain::RunState::completed) {
            report_.warnings.push_back(
                "Run " + run_.id + " is " + std::string(to_string(run_.state)) +
                (run_.stop_reason.empty() ? "" : " (" + run_.stop_reason + ")") +
                ": the figures cover what was reported."
            );
        }
    }

    const Request& request_;
    domain::Run run_;
    std::string otherwise_;  ///< the variant of samples that name none
    report::Report report_;
    std::int64_t samples_ = 0;
    std::vector<std::string> order_;
    std::map<std::string, Collected> variants_;
    std::map<std::string, bool> names_;  ///< of scores; whether all are 0 or 1
};

}  // namespace

Result<std::unique_ptr<RunReport>> report_client_run(const Request& request, domain::Run run) {
    return ClientReport(request, std::move(run)).build();
}

}  // namespace lab::service
