#include "app/service_metrics.h"

#include "platform/telemetry/span.h"
#include "service/breakers.h"

#include <algorithm>
#include <array>
#include <utility>

namespace lab::app {
namespace {

using Names = Metrics::Names;
using providers::Breaker;

const std::vector<double> kStatementBounds{
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5
};
const std::vector<double> kCallBounds{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300};
const std::vector<double> kCheckBounds{0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 2, 5};
const std::vector<double> kRunBounds{
    1, 5, 15, 30, 60, 300, 600, 1800, 3600, 7200, 14'400, 43'200, 86'400
};
const std::vector<double> kUploadBounds{1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10};
constexpr std::size_t kStatementSeries = 300;

constexpr std::array<std::string_view, 3> kEndings{"completed", "failed", "cancelled"};
constexpr std::array<std::string_view, 3> kPriorities{"critical", "normal", "background"};
constexpr std::array<std::string_view, 6> kTiers{
    "anonymous", "free", "standard", "professional", "enterprise", "unlimited"
};
constexpr std::array<std::string_view, 5> kDirections{
    "input", "cache_read", "cache_write", "output", "reasoning"
};

double seconds_of(Duration time) { return std::chrono::duration<double>(time).count(); }

struct Reason {
    std::string_view part;  ///< of the cause
    std::string_view word;
};
/// The first that fits.
constexpr std::array<Reason, 9> kReasons{{
    {"revoked", "revoked"},
    {"not active", "inactive"},
    {"expired", "expired"},
    {"jwt", "invalid_token"},
    {"API key", "invalid_api_key"},
    {"admin key", "invalid_admin_key"},
    {"scheme", "unknown_scheme"},
    {"password", "invalid_password"},
    {"login", "invalid_password"},
}};

}  // namespace

std::string_view auth_reason(std::string_view cause) {
    if (cause.empty()) {
        return "no_credential";
    }
    const auto* const found = std::ranges::find_if(kReasons, [&](const Reason& one) {
        return cause.find(one.part) != std::string_view::npos;
    });
    return found == kReasons.end() ? "other" : found->word;
}

struct ServiceMetrics::Families {
    explicit Families(Metrics& m)
        : statements(m.histograms(
              "db_query_duration_seconds",
              "Statements of the database, with the reading of their rows",
              {"query_type", "table"},
              kStatementBounds,
              kStatementSeries
          )),
          statement_errors(m.counters(
              "db_query_errors_total", "Statements that failed", {"query_type", "error_type"}
          )),
          connection_errors(
              m.counter("db_connection_errors_total", "Connections that could not be opened")
          ),
          cache_hits(m.counters("cache_hits_total", "Found in a cache", {"cache"})),
          cache_misses(m.counters("cache_misses_total", "Not found in a cache", {"cache"})),
          cache_evictions(m.counters("cache_evictions_total", "Made way for others", {"cache"})),
          cache_size(m.gauges("cache_size", "Entries of a cache", {"cache"})),
          breaker_state(
              m.gauges("circuit_breaker_state", "0 closed, 1 half-open, 2 open", {"service"})
          ),
          breaker_transitions(m.counters(
              "circuit_breaker_transitions_total", "Changes of state that were seen", {"service"}
          )),
          breaker_rejected(m.counters(
              "circuit_breaker_rejected_total", "Uses that an open breaker refused", {"service"}
          )),
          health(m.gauges(
              "health_status", "1 healthy, 0.5 degraded, 0 unhealthy", {"component", "critical"}
          )),
          health_checks(m.histograms(
              "health_check_duration_seconds",
              "How long a check took",
              {"component", "critical"},
              kCheckBounds
          )),
          experiments(m.counter("experiments_created_total", "Experiments made")),
          experiments_ended(
              m.counters("experiments_completed_total", "Experiments that ended", {"status"})
          ),
          runs(m.counters("experiment_runs_total", "Runs that ended", {"status"})),
          experiment_seconds(m.histograms(
              "experiment_duration_seconds", "From start to end", {"status"}, kRunBounds
          )),
          evaluations(
              m.counter("evaluations_processed_total", "Outputs scored, and evaluations taken in")
          ),
          models(m.counter("models_registered_total", "Models made")),
          datasets(m.counter("datasets_uploaded_total", "Versions of datasets that arrived")),
          dataset_bytes(m.histogram(
              "dataset_upload_size_bytes", "Sizes of datasets that arrived", kUploadBounds
          )),
          calls(m.counters(
              "llm_requests_total",
              "Calls of models",
              {"provider", "model", "outcome"},
              kModelsMax * 4
          )),
          call_seconds(m.histograms(
              "llm_request_duration_seconds",
              "Calls of models",
              {"provider", "model"},
              kCallBounds,
              kModelsMax
          )),
          first_token_seconds(m.histograms(
              "llm_time_to_first_token_seconds",
              "Until the first token of a streamed answer",
              {"provider", "model"},
              kCallBounds,
              kModelsMax
          )),
          tokens(m.counters(
              "llm_tokens_total",
              "Tokens of answered calls",
              {"provider", "model", "direction"},
              kModelsMax * kDirections.size()
          )),
          cost(m.counters(
              "llm_cost_usd_total",
              "Cost of answered calls in US dollars",
              {"provider", "model"},
              kModelsMax
          )),
          auth_failures(
              m.counters("auth_failures_total", "Requests without a good credential", {"reason"})
          ),
          rate_limits(
              m.counters("rate_limit_exceeded_total", "Requests refused for their number", {"tier"})
          ),
          shed(m.counters(
              "load_shed_total", "Requests refused because there was too much to do", {"priority"}
          )),
          queue_depth(m.gauge("job_queue_depth", "Runs that wait")),
          leases(m.gauge("job_leases_active", "Runs that this process carries out")),
          retries(m.counter("job_retries_total", "Runs that went back to the queue")),
          secret_refreshes(m.counters(
              "secrets_refreshes_total",
              "Times all secrets of a service were asked for",
              {"outcome"}
          )),
          secret_rotations(m.counters(
              "secrets_rotations_total", "Secrets that were another than before", {"setting"}
          )) {
        make_known_series();
    }

    /// What is known beforehand stands at 0 and does not appear out of nothing.
    void make_known_series() {
        for (const std::string_view status : kEndings) {
            experiments_ended.with({status});
            runs.with({status});
            experiment_seconds.with({status});
        }
        for (const Reason& reason : kReasons) {
            auth_failures.with({reason.word});
        }
        auth_failures.with({"no_credential"});
        auth_failures.with({"other"});
        for (const std::string_view tier : kTiers) {
            rate_limits.with({tier});
        }
        for (const std::string_view priority : kPriorities) {
            shed.with({priority});
        }
        for (const std::string& service : service::breaker_names()) {
            breaker_state.with({service}).set(0);
            breaker_transitions.with({service});
            breaker_rejected.with({service});
        }
        for (const std::string_view type : {"select", "insert", "update", "delete"}) {
            for (const std::string_view error : {"CONFLICT", "SERVICE_UNAVAILABLE"}) {
                statement_errors.with({type, error});
            }
        }
        // A family without a series is not shown; these have no labels that are known.
        const auto other = std::string_view("other");
        calls.with({other, other, "ok"});
        call_seconds.with({other, other});
        first_token_seconds.with({other, other});
        for (const std::string_view direction : kDirections) {
            tokens.with({other, other, direction});
        }
        cost.with({other, other});
        secret_refreshes.with({"ok"});
        secret_refreshes.with({"failed"});
        secret_rotations.with({"JWT_SECRET"});
    }

    MetricFamily<Histogram>& statements;
    MetricFamily<Counter>& statement_errors;
    Counter& connection_errors;
    MetricFamily<Counter>& cache_hits;
    MetricFamily<Counter>& cache_misses;
    MetricFamily<Counter>& cache_evictions;
    MetricFamily<Gauge>& cache_size;
    MetricFamily<Gauge>& breaker_state;
    MetricFamily<Counter>& breaker_transitions;
    MetricFamily<Counter>& breaker_rejected;
    MetricFamily<Gauge>& health;
    MetricFamily<Histogram>& health_checks;
    Counter& experiments;
    MetricFamily<Counter>& experiments_ended;
    MetricFamily<Counter>& runs;
    MetricFamily<Histogram>& experiment_seconds;
    Counter& evaluations;
    Counter& models;
    Counter& datasets;
    Histogram& dataset_bytes;
    MetricFamily<Counter>& calls;
    MetricFamily<Histogram>& call_seconds;
    MetricFamily<Histogram>& first_token_seconds;
    MetricFamily<Counter>& tokens;
    MetricFamily<Counter>& cost;
    MetricFamily<Counter>& auth_failures;
    MetricFamily<Counter>& rate_limits;
    MetricFamily<Counter>& shed;
    Gauge& queue_depth;
    Gauge& leases;
    Counter& retries;
    MetricFamily<Counter>& secret_refreshes;
    MetricFamily<Counter>& secret_rotations;
};

/// Statements of one kind.
class ServiceMetrics::Meter final : public storage::StatementMeter {
  public:
    Meter(
        Families& families,
        Logger& log,
        const std::string& database,
        std::string type,
        std::string table
    )
        : families_(families),
          log_(log),
          database_(database),
          type_(std::move(type)),
          table_(std::move(table)),
          seconds_(families.statements.with({type_, table_})) {}

    void done(std::string_view query, Duration took, const Error* error) override {
        seconds_.observe(seconds_of(took));
        trace(query, took, error);
        if (error != nullptr) {
            families_.statement_errors.with({type_, info(error->code).wire_name}).add();
        }
        if (took >= kSlowQuery) {
            log_.warn(
                "db",
                "slow query",
                {{"query", query},
                 {"query_type", type_},
                 {"table", table_},
                 {"query_time_ms", seconds_of(took) * 1000}}
            );
        }
    }

  private:
    /// The statement as a span below what this thread works on; its values are nobody's business.
    void trace(std::string_view query, Duration took, const Error* error) const {
        Span span = child_span(query, SpanKind::client, took);
        if (!span.recorded()) {
            return;
        }
        span.set("db.system.name", database_);
        span.set("db.operation.name", type_);
        if (table_ != "none") {
            span.set("db.collection.name", table_);
        }
        span.set("db.query.summary", query);
        if (error != nullptr) {
            span.fail(info(error->code).wire_name);
        }
    }

    Families& families_;
    Logger& log_;
    const std::string& database_;
    const std::string type_;
    const std::string table_;
    Histogram& seconds_;
};

ServiceMetrics::ServiceMetrics(Metrics& metrics, Logger& log, std::string database)
    : families_(std::make_unique<Families>(metrics)), log_(log), database_(std::move(database)) {}

ServiceMetrics::~ServiceMetrics() = default;

storage::StatementMeter& ServiceMetrics::meter(const storage::StatementKind& kind) {
    const std::string key = std::string(kind.type) + " " + std::string(kind.table);
    const std::lock_guard lock(mutex_);
    std::unique_ptr<Meter>& meter = meters_[key];
    if (!meter) {
        meter = std::make_unique<Meter>(
            *families_, log_, database_, std::string(kind.type), std::string(kind.table)
        );
    }
    return *meter;
}

void ServiceMetrics::connection_failed(const Error& error) {
    families_->connection_errors.add();
    log_.error(
        "db",
        "no connection to the database",
        {{"code", info(error.code).wire_name}, {"cause", error.message}}
    );
}

void ServiceMetrics::created(storage::ResourceKind kind) {
    if (kind == storage::ResourceKind::experiment) {
        families_->experiments.add();
    } else if (kind == storage::ResourceKind::model) {
        families_->models.add();
    }
}

void ServiceMetrics::experiment_ended(std::string_view status, Duration took) {
    families_->experiments_ended.with({status}).add();
    families_->experiment_seconds.with({status}).observe(seconds_of(took));
}

void ServiceMetrics::run_ended(std::string_view status) { families_->runs.with({status}).add(); }
void ServiceMetrics::run_queued_again() { families_->retries.add(); }

void ServiceMetrics::evaluations_processed(std::int64_t count) {
    families_->evaluations.add(static_cast<double>(count));
}

void ServiceMetrics::dataset_uploaded(std::int64_t bytes) {
    families_->datasets.add();
    families_->dataset_bytes.observe(static_cast<double>(bytes));
}

void ServiceMetrics::breaker_refused(std::string_view service) {
    families_->breaker_rejected.with({service}).add();
}

void ServiceMetrics::on_call(const providers::CallTold& call) {
    Families& f = *families_;
    f.calls.with({call.provider, call.model, to_string(call.result.outcome)}).add();
    f.call_seconds.with({call.provider, call.model}).observe(seconds_of(call.result.latency));
    if (call.result.time_to_first_token) {
        const Duration waited = *call.result.time_to_first_token;
        f.first_token_seconds.with({call.provider, call.model}).observe(seconds_of(waited));
    }
    const domain::Usage& usage = call.result.usage;
    const std::array<std::int64_t, kDirections.size()> amounts{
        usage.input, usage.cache_read, usage.cache_write, usage.output, usage.reasoning
    };
    for (std::size_t i = 0; i < amounts.size(); ++i) {
        if (amounts[i] > 0) {
            f.tokens.with({call.provider, call.model, kDirections[i]})
                .add(static_cast<double>(amounts[i]));
        }
    }
    if (call.cost) {
        const Money cost = *call.cost;
        f.cost.with({call.provider, call.model}).add(static_cast<double>(cost.pico()) * 1e-12);
    }
}

void ServiceMetrics::auth_failed(std::string_view cause) {
    families_->auth_failures.with({auth_reason(cause)}).add();
}

void ServiceMetrics::rate_limited(const service::Caller& caller) {
    const bool anonymous = caller.kind == service::Caller::Kind::anonymous;
    families_->rate_limits.with({anonymous ? "anonymous" : to_string(caller.tier)}).add();
}

void ServiceMetrics::load_shed(std::string_view priority) {
    families_->shed.with({priority}).add();
}

void ServiceMetrics::health_checked(const api::ComponentHealth& component) {
    using Health = api::ComponentHealth::Status;
    const std::string_view critical = component.critical ? "true" : "false";
    const double value = component.status == Health::unhealthy  ? 0
                         : component.status == Health::degraded ? 0.5
                                                                : 1;
    families_->health.with({component.name, critical}).set(value);
    families_->health_checks.with({component.name, critical})
        .observe(seconds_of(component.latency));
}

void ServiceMetrics::breakers_seen(std::span<const std::string> open) {
    const std::lock_guard lock(mutex_);
    open_.assign(open.begin(), open.end());
    show_breakers();
}

void ServiceMetrics::breakers_of_run(const std::string& run, const service::BreakerStates& states) {
    service::BreakerStates bad = states;
    std::erase_if(bad, [](const auto& one) { return one.second == Breaker::State::closed; });
    const std::lock_guard lock(mutex_);
    const auto known = of_runs_.find(run);
    if (bad.empty() ? known == of_runs_.end() : known != of_runs_.end() && known->second == bad) {
        return;  // as it was
    }
    if (bad.empty()) {
        of_runs_.erase(known);
    } else {
        of_runs_[run] = std::move(bad);
    }
    show_breakers();
}

void ServiceMetrics::link_seen(const std::string& service, bool usable) {
    const Breaker::State state = usable ? Breaker::State::closed : Breaker::State::open;
    breakers_of_run("link:" + service, {{service, state}});
}

void ServiceMetrics::show_breakers() {
    for (const std::string& service : service::breaker_names()) {
        const bool forced = std::ranges::find(open_, service) != open_.end();
        int state = forced ? static_cast<int>(Breaker::State::open) : 0;
        for (const auto& [run, states] : of_runs_) {
            const auto found = states.find(service);
            state = std::max(state, found == states.end() ? 0 : static_cast<int>(found->second));
        }
        int& shown = breakers_[service];
        families_->breaker_state.with({service}).set(state);
        if (state != std::exchange(shown, state)) {
            families_->breaker_transitions.with({service}).add();
        }
    }
}

void ServiceMetrics::secrets_asked(bool good) {
    families_->secret_refreshes.with({good ? "ok" : "failed"}).add();
}

void ServiceMetrics::secret_rotated(std::string_view setting) {
    families_->secret_rotations.with({setting}).add();
}

void ServiceMetrics::cache_seen(std::string_view name, const service::CacheStats& stats) {
    const std::lock_guard lock(mutex_);
    service::CacheStats& before = caches_[std::string(name)];
    const auto more = [](std::uint64_t now, std::uint64_t then) {
        return static_cast<double>(now - then);
    };
    families_->cache_hits.with({name}).add(more(stats.hits, before.hits));
    families_->cache_misses.with({name}).add(more(stats.misses, before.misses));
    families_->cache_evictions.with({name}).add(more(stats.evictions, before.evictions));
    families_->cache_size.with({name}).set(static_cast<double>(stats.size));
    before = stats;
}

void ServiceMetrics::jobs_seen(std::int64_t queued, std::size_t running) {
    families_->queue_depth.set(static_cast<double>(queued));
    families_->leases.set(static_cast<double>(running));
}

}  // namespace lab::app
