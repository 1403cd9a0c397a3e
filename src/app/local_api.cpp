#include "app/local_api.h"

#include "api/application.h"
#include "api/routes.h"
#include "app/interrupts.h"
#include "app/local_exchange.h"
#include "app/platform.h"
#include "app/route_audit.h"
#include "platform/process/event_loop.h"
#include "platform/process/worker.h"
#include "service/run_queue.h"

#include <array>

namespace lab::app {
namespace {

using cli::ApiRequest;
using cli::ApiResponse;

constexpr std::string_view kOrigin = "http://in-process.invalid";
constexpr Duration kRunsGrace = std::chrono::seconds(30);
constexpr Duration kAuditGrace = std::chrono::seconds(2);

/// A run is carried out from here as soon as something is started, and not before: looking at a
/// store is no reason to go on with what lies in it.
class LazyQueue final : public service::RunControl {
  public:
    explicit LazyQueue(service::RunQueue& queue) : queue_(queue) {}
    void wake() override {
        if (!started_.exchange(true)) {
            static_cast<void>(queue_.start());
        }
        queue_.wake();
    }
    void interrupt(const std::string& run_id) override { queue_.interrupt(run_id); }

  private:
    service::RunQueue& queue_;
    std::atomic<bool> started_ = false;
};

class LocalApi final : public cli::Transport {
  public:
    explicit LocalApi(std::unique_ptr<Platform> platform, std::string home)
        : platform_(std::move(platform)),
          home_(std::move(home)),
          board_(clock_, std::string(version())),
          pool_({.threads = 2, .queue_max = 100}),
          audit_(audit_worker_, platform_->sessions(), clock_, uuids_),
          runs_(
              platform_->deps(),
              {&run_worker_},
              run_watcher_,
              [this] { return platform_->make_runner(); },
              events_,
              [] { return false; },
              {}
          ),
          control_(runs_) {}

    ~LocalApi() override {
        runs_.stop(kRunsGrace);
        pool_.stop();
        static_cast<void>(audit_.stop(kAuditGrace));
    }

    Status build() {
        LAB_TRY(
            auto router,
            api::Router::make(api::all_routes({
                .identity = platform_->identity(),
                .control = control_,
                .events = events_,
                .board = board_,
                .maintenance = maintenance_,
                .metrics_text = [] { return std::string(); },
                .document = [this]() -> const std::string& { return document_; },
                .count_evaluations = [](std::size_t) {},
                .signing = platform_->signing(),
            }))
        );
        api::ApplicationDeps deps;
        deps.clock = &clock_;
        deps.uuids = &uuids_;
        deps.trace_ids = &trace_ids_;
        deps.service = &platform_->deps();
        deps.sessions = &platform_->sessions();
        deps.pool = &pool_;
        deps.authenticate = [](const Ctx&, storage::Session&, const service::Presented&) {
            return Result<service::Caller>(service::local_caller());
        };
        deps.check_rate = [](const service::Caller&, api::LimitClass) {
            return service::RateDecision{.allowed = true, .limited = false};
        };
        deps.audit = [this](const auto& request, const auto& route, const auto&... what) {
            return audit_route(audit_, request, route, what...);
        };
        deps.served = [](const api::Served&) {};
        deps.maintenance = &maintenance_;
        deps.admission = &admission_;
        deps.shed = [](api::Priority) {};
        application_ = std::make_unique<api::Application>(
            std::move(router), std::move(deps), api::ApplicationOptions{.compression = false}
        );
        return ok();
    }

    ApiResponse send(const ApiRequest& request) override { return carry_out(request, nullptr); }
    ApiResponse stream(const ApiRequest& request, const Sink& sink) override {
        return carry_out(request, &sink);
    }
    void stop() override {
        stopped_ = true;
        loop_.stop();
    }
    void pause(Duration how_long) override {
        if (!stopped_) {
            const auto timer = loop_.call_at(clock_.now() + how_long, [this] { loop_.stop(); });
            loop_.run();
            loop_.cancel_timer(timer);
        }
    }
    void on_interrupt(std::function<void()> handler) override {
        stopped_ = false;
        handle_interrupts(loop_, std::move(handler));
    }
    std::string where() const override { return "the store " + home_; }
    std::string url() const override { return ""; }

  private:
    static http::RequestHead head_of(const ApiRequest& request, TimePoint now) {
        http::RequestHead head;
        head.method = request.method;
        head.target = cli::encode_target(request);
        if (head.target.starts_with(kOrigin)) {
            head.target.erase(0, kOrigin.size());
        }
        const std::size_t mark = head.target.find('?');
        head.path = head.target.substr(0, mark);
        head.query = mark == std::string::npos ? "" : head.target.substr(mark + 1);
        head.headers = request.headers;
        head.headers.emplace_back("Host", kOrigin.substr(7));
        head.headers.emplace_back("User-Agent", "llm-research/" + std::string(version()));
        head.peer = {.address = "127.0.0.1", .loopback = true, .tls = false};
        head.received = now;
        return head;
    }

    /// The body, as fast as it is taken. false: its end did not come, or nobody waits for it.
    bool feed(const ApiRequest& request, http::BodySink& sink, LocalExchange& exchange) {
        constexpr std::size_t kPieceBytes = 256U << 10;
        http::BodySource* const source = request.source.get();
        if (source == nullptr) {
            if (!request.body.empty()) {
                sink.on_bytes(request.body);
            }
            return true;
        }
        std::string piece(kPieceBytes, '\0');
        for (std::uint64_t left = source->rewind() ? source->size() : 1; left > 0;) {
            const std::size_t count =
                source->read(piece.data(), std::min<std::uint64_t>(left, kPieceBytes));
            if (count == 0 || exchange.answered()) {
                return false;
            }
            left -= count;
            const auto flow = sink.on_bytes(std::string_view(piece).substr(0, count));
            while (flow == http::BodySink::Flow::pause && !exchange.take_resumed()) {
                if (exchange.answered() || stopped_) {
                    return false;
                }
                loop_.run();
            }
        }
        return true;
    }

    ApiResponse carry_out(const ApiRequest& request, const Sink* sink) {
        ApiResponse out;
        const auto exchange = std::make_shared<LocalExchange>(
            head_of(request, clock_.now()), request.body, loop_, [this] { loop_.stop(); }
        );
        http::BodyPlan plan = application_->on_head(exchange->head());
        if (plan.kind == http::BodyPlan::Kind::reply_now) {
            exchange->respond(std::move(plan.reply));
        } else if (plan.kind == http::BodyPlan::Kind::buffer &&
                   request.body.size() > plan.bytes_max) {
            exchange->respond(application_->refuse(
                413,
                "PAYLOAD_TOO_LARGE",
                "the body may have " + std::to_string(plan.bytes_max) + " bytes",
                &exchange->head()
            ));
        } else if (plan.kind == http::BodyPlan::Kind::stream) {
            plan.sink->on_begin(exchange);
            if (feed(request, *plan.sink, *exchange)) {
                plan.sink->on_complete();
            } else {
                plan.sink->on_abort();
                if (!exchange->answered()) {
                    exchange->leave();
                    out.failure = http::TransferFailure::cancelled;
                    out.failure_message = "the file cannot be read to its end";
                    return out;
                }
            }
        } else {
            application_->on_request(exchange);
        }
        bool wanted = true;
        while (wanted && !exchange->ended() && !stopped_) {
            if (auto head = exchange->take_head()) {
                out.status = head->status;
                out.headers = std::move(head->headers);
            } else if (auto piece = exchange->take_piece()) {
                if (sink != nullptr && out.status < 300) {
                    wanted = (*sink)(*piece);
                } else {
                    out.body += *piece;
                }
            } else {
                loop_.run();
            }
        }
        if (stopped_ && !exchange->ended()) {
            out.failure = http::TransferFailure::cancelled;
            out.status = 0;
        }
        exchange->leave();
        // What was queued before and nobody carries out is as good as started now.
        const bool starts = request.path.ends_with("/start") || request.path.ends_with("/resume");
        if (starts && request.method == "POST" && out.status == 200) {
            control_.wake();
        }
        return out;
    }

    SystemClock clock_;
    RandomUuids uuids_;
    RandomTraceIds trace_ids_;
    std::unique_ptr<Platform> platform_;
    std::string home_;
    EventLoop loop_{clock_};
    api::HealthBoard board_;
    WorkPool pool_;
    ThreadWorker audit_worker_;
    service::AuditLog audit_;
    service::MaintenanceFlag maintenance_;
    api::Admission admission_{{}};  ///< who is alone here overloads nobody
    service::RunEvents events_;
    ThreadWorker run_worker_;
    ThreadWorker run_watcher_;
    service::RunQueue runs_;
    LazyQueue control_;
    std::string document_;
    std::unique_ptr<api::Application> application_;
    bool stopped_ = false;
};

}  // namespace

Result<std::unique_ptr<cli::Transport>> make_local_api(
    const Settings& settings, const EnvLookup& env
) {
    LAB_TRY(Configuration configuration, read_configuration(env));
    LAB_TRY(auto platform, Platform::open(settings, std::move(configuration), env, {}, Ways::own));
    auto made = std::make_unique<LocalApi>(std::move(platform), settings.home);
    LAB_CHECK(made->build());
    return std::unique_ptr<cli::Transport>(std::move(made));
}

}  // namespace lab::app
