#include "app/analytics.h"

#include "storage/events/clickhouse_facts.h"

#include <algorithm>

namespace lab::app {
namespace {

/// How often the outbox is looked at. Fewer, larger batches are what ClickHouse likes.
constexpr Duration kPeriod = std::chrono::seconds(1);
constexpr Duration kOthersPeriod = std::chrono::seconds(5);  ///< when it is another's turn
constexpr Duration kPauseMax = std::chrono::seconds(3);      ///< after failures
constexpr Duration kCheckPeriod = std::chrono::seconds(5);
constexpr Duration kShipMax = std::chrono::minutes(10);  ///< in one go
/// A copy that is further behind is not asked.
constexpr Duration kBehindMax = std::chrono::seconds(60);

}  // namespace

Analytics::Analytics(const Clock& clock, Logger& log, Metrics& metrics)
    : clock_(clock),
      log_(log),
      facts_waiting_(metrics.gauge(
          "analytics_outbox_rows", "Samples, points and events that ClickHouse was not told yet"
      )),
      entries_waiting_(
          metrics.gauge("analytics_outbox_entries", "Rows of the outbox that hold them")
      ),
      seconds_behind_(metrics.gauge(
          "analytics_behind_seconds", "How long the first fact waits that ClickHouse was not told"
      )),
      rows_sent_(metrics.counter("analytics_rows_sent_total", "Rows that ClickHouse took")),
      failures_(
          metrics.counter("analytics_failures_total", "Tries to tell or ask ClickHouse that failed")
      ) {}

Analytics::~Analytics() { stopping_.cancel(CancelReason::shutdown); }

void Analytics::open(
    const AnalyticsSettings& settings,
    const service::Deps& deps,
    storage::Database& database,
    std::string user_agent
) {
    if (settings.url.empty()) {
        return;
    }
    database_ = &database;
    store_ = std::make_unique<storage::ClickHouseFacts>(
        clock_,
        storage::ClickHouseOptions{
            .url = settings.url,
            .user = settings.user,
            .password = settings.password,
            .database = settings.database,
        },
        http::ClientOptions{.user_agent = std::move(user_agent)}
    );
    service::FactShipper::Options options;
    options.told = [this](std::int64_t rows) { rows_sent_.add(static_cast<double>(rows)); };
    shipper_ = std::make_unique<service::FactShipper>(deps, *store_, std::move(options));
}

void Analytics::tick() {
    if (!is_configured() || shipping_ || stopping_.cancelled() || clock_.now() < next_) {
        return;
    }
    shipping_ = true;
    worker_.submit([this] {
        ship();
        shipping_ = false;
    });
}

void Analytics::stop() {
    if (is_configured()) {
        stopping_.cancel(CancelReason::shutdown);
        worker_.submit([this] {
            if (session_) {
                shipper_->leave(Ctx(clock_).within(std::chrono::seconds(1)), *session_);
            }
        });
    }
}

/// A session of its own: those of requests may all be taken.
Result<storage::Session*> Analytics::need_session(const Ctx& ctx) {
    const Ctx soon = ctx.within(std::chrono::seconds(5));
    if (session_ && !session_->check(soon)) {
        session_.reset();
    }
    if (!session_) {
        LAB_TRY(session_, database_->open_session(soon));
    }
    return session_.get();
}

Status Analytics::look_at_outbox(const Ctx& ctx, storage::Session& session) {
    LAB_TRY(const storage::OutboxState state, storage::Outbox(session).state(ctx));
    facts_waiting_.set(static_cast<double>(state.facts));
    entries_waiting_.set(static_cast<double>(state.entries));
    seconds_behind_.set(std::chrono::duration<double>(state.oldest).count());
    behind_ = state.oldest.count();
    return ok();
}

Status Analytics::ship_once(const Ctx& ctx, service::FactShipper::Shipped& shipped) {
    LAB_TRY(storage::Session * session, need_session(ctx));
    LAB_CHECK(look_at_outbox(ctx, *session));
    if (paused_) {
        return Error(Code::unavailable, "ClickHouse is not used: an operator opened its breaker");
    }
    const Status told = shipper_->ship(ctx, *session, shipped);
    LAB_CHECK(told);
    if (shipped.entries > 0) {
        checked_ = clock_.now();
        return look_at_outbox(ctx, *session);
    }
    if (has_problem() || clock_.now() - checked_ >= kCheckPeriod) {
        LAB_CHECK(store_->check(ctx.within(kCheckPeriod)));
        checked_ = clock_.now();
    }
    return ok();
}

void Analytics::ship() {
    service::FactShipper::Shipped shipped;
    const Status done = ship_once(Ctx(clock_, stopping_).within(kShipMax), shipped);
    if (stopping_.cancelled()) {
        return;
    }
    tell(done);
    if (done) {
        pause_ = Duration::zero();
        next_ = clock_.now();
        if (!shipped.more) {
            next_ += shipped.waits_for_others ? kOthersPeriod : kPeriod;
        }
    } else {
        failures_.add();
        pause_ = std::clamp<Duration>(pause_ * 2, kPeriod, kPauseMax);
        next_ = clock_.now() + pause_;
    }
}

/// Once for each problem, and once when it is over.
void Analytics::tell(const Status& status) {
    const std::string words = status ? "" : status.error().message;
    std::string before;
    {
        const std::scoped_lock lock(mutex_);
        before = std::exchange(problem_, words);
    }
    if (before == words) {
        return;
    }
    if (status) {
        log_.info("clickhouse", "connection is good: analytics are told what happens");
    } else {
        log_.warn("clickhouse", words, {{"cause", status.error().cause}});
    }
}

bool Analytics::has_problem() const {
    const std::scoped_lock lock(mutex_);
    return !problem_.empty();
}

api::ComponentHealth Analytics::component() const {
    using Status = api::ComponentHealth::Status;
    api::ComponentHealth out{.name = "analytics", .critical = false};
    if (!is_configured()) {
        out.status = Status::disabled;
        return out;
    }
    const std::scoped_lock lock(mutex_);
    out.message = problem_;
    if (problem_.empty() && behind() > kBehindMax) {
        out.message = "analytics are more than a minute behind";
    }
    out.status = out.message.empty() ? Status::healthy : Status::degraded;
    return out;
}

storage::FactFigures* Analytics::usable() {
    return !paused_ && !has_problem() && behind() <= kBehindMax ? store_.get() : nullptr;
}

Duration Analytics::behind() const { return Duration(behind_.load()); }

void Analytics::failed(const Error& error) {
    failures_.add();
    tell(error);
}

}  // namespace lab::app
