#pragma once
#include "api/application.h"
#include "api/impl/held_refusals.h"
#include "base/text.h"
#include "service/impl/test_platform.h"
#include "support/manual_clock.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <map>

/// For the tests of the application: it without a listener.
namespace lab::api::test {

/// A request without a connection: keeps the answer.
class FakeExchange final : public http::Exchange {
  public:
    FakeExchange(http::RequestHead head, std::string body)
        : head_(std::move(head)), body_(std::move(body)) {}
    const http::RequestHead& head() const override { return head_; }
    const std::string& body() const override { return body_; }
    std::string take_body() override { return std::move(body_); }
    void respond(http::Response response) override { answered_.set_value(std::move(response)); }
    void begin_stream(int /*status*/, http::Headers /*headers*/) override {}
    http::Sending write(std::string /*bytes*/, std::function<void()> /*drained*/) override {
        return http::Sending::closed;
    }
    void end_stream() override {}
    void resume_body() override {}
    CancelToken cancelled() override { return {}; }
    void on_cancel(std::function<void()> /*gone*/) override {}
    void set_context(std::shared_ptr<void> context) override { context_ = std::move(context); }

    std::future<http::Response> answer() { return answered_.get_future(); }
    const std::shared_ptr<void>& context() const { return context_; }

  private:
    http::RequestHead head_;
    std::string body_;
    std::shared_ptr<void> context_;
    std::promise<http::Response> answered_;
};

inline const Json& named_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties", {{"name", {{"type", "string"}, {"minLength", 1}}}}},
        {"required", {"name"}},
        {"additionalProperties", false},
    };
    return kSchema;
}

inline service::Caller user(std::initializer_list<domain::Role> roles) {
    service::Caller out;
    out.kind = service::Caller::Kind::user;
    out.user_id = "aaaaaaaa-0000-4000-8000-000000000001";
    out.roles = roles;
    out.granted = domain::permissions_of(out.roles);
    return out;
}

/// The HTTP face over a few routes of its own, with somebody else's identity, limits and audit.
class Face : public testing::Test {
  protected:
    Face() {
        auto opened = storage::open_sqlite(ctx_, {.path = ":memory:"});
        EXPECT_TRUE(opened && (*opened)->migrate(ctx_));
        database_ = *std::move(opened);
        sessions_ = std::make_unique<storage::SessionPool>(*database_, 2, std::chrono::seconds(1));
        service_.clock = &clock_;
        service_.uuids = &uuids_;
        callers_["Bearer viewer"] = user({domain::Role::viewer});
        callers_["Bearer writer"] = user({domain::Role::researcher});
        callers_["Bearer root"] = user({domain::Role::admin});
        options_.cors_origins = {"https://lab.example"};
        options_.trusted_proxies = {"10.0.0.1"};
        options_.compression_bytes_min = 100;
    }

    static Route route(
        std::string_view method, std::string_view path, Guard guard, Handler handler
    ) {
        Route out;
        out.method = method;
        out.path = path;
        out.summary = "A route of this test";
        out.tag = "Test";
        out.guard = guard;
        out.handler = std::move(handler);
        return out;
    }

    std::vector<Route> routes() {
        const Handler hello = [](Call&) -> Result<Reply> { return reply_json({{"hello", "you"}}); };
        std::vector<Route> out;
        out.push_back(route("GET", "/open", Guard::open, hello));
        out.push_back(route("GET", "/who", Guard::caller, hello));
        out.push_back(route("GET", "/admin/it", Guard::admin, hello));
        out.push_back(route("GET", "/here", Guard::loopback, hello));
        Route list = route("GET", "/things/{id}", Guard::permission, hello);
        list.permission = domain::Permission::read_model;
        list.query = {{"limit", "integer", "how many"}};
        list.answer = "Thing";
        out.push_back(std::move(list));
        Route make = route("POST", "/things", Guard::permission, [this](Call& call) {
            ++made_;
            return Result<Reply>(reply_json({{"name", call.body()["name"]}}, 201));
        });
        make.permission = domain::Permission::create_experiment;
        make.body = BodyKind::json;
        make.request_schema = &named_schema();
        make.answer = "Thing";
        make.maintenance = InMaintenance::refused;
        make.audit = {.event = "data_modification", .action = "create", .resource = "experiment"};
        make.body_bytes_max = 1000;
        out.push_back(std::move(make));
        Route login = route("POST", "/auth/token", Guard::open, hello);
        login.limit = LimitClass::login;
        login.priority = Priority::critical;
        out.push_back(std::move(login));
        Route probe = route("GET", "/health", Guard::open, [](Call&) -> Result<Reply> {
            Reply reply;
            reply.text = "OK";
            reply.content_type = "text/plain";
            return reply;
        });
        probe.limit = LimitClass::exempt;
        probe.priority = Priority::critical;
        probe.on_io_thread = true;
        out.push_back(std::move(probe));
        Route report = route("GET", "/report", Guard::open, hello);
        report.priority = Priority::background;
        out.push_back(std::move(report));
        out.push_back(route("GET", "/long", Guard::open, [](Call&) -> Result<Reply> {
            return reply_json({{"text", std::string(5000, 'a')}});
        }));
        out.push_back(route("GET", "/broken", Guard::open, [](Call&) -> Result<Reply> {
            Error error(Code::internal, "the file /secret/place is gone");
            error.cause = "disk";
            return error;
        }));
        out.push_back(route("GET", "/throws", Guard::open, [](Call&) -> Result<Reply> {
            throw std::runtime_error("a package did");
        }));
        out.push_back(route("GET", "/slow", Guard::open, [this](Call& call) -> Result<Reply> {
            clock_.advance(std::chrono::seconds(31));
            LAB_CHECK(call.request().ctx.check());
            return reply_nothing();
        }));
        return out;
    }

    Application& face() {
        if (!face_) {
            auto router = Router::make(routes());
            EXPECT_TRUE(router) << (router ? "" : router.error().message);
            face_ = std::make_unique<Application>(*std::move(router), deps(), options_);
        }
        return *face_;
    }

    ApplicationDeps deps() {
        ApplicationDeps out;
        out.clock = &clock_;
        out.uuids = &uuids_;
        out.trace_ids = &trace_ids_;
        out.tracer = tracer_;
        out.service = &service_;
        out.sessions = sessions_.get();
        out.pool = &pool_;
        out.authenticate = [this](
                               const Ctx&, storage::Session&, const service::Presented& given
                           ) -> Result<service::Caller> {
            const std::lock_guard lock(mutex_);
            steps_.emplace_back("authenticate");
            if (!given.authorization) {
                return service::Caller{};
            }
            const auto found = callers_.find(std::string(*given.authorization));
            if (found == callers_.end()) {
                return Error(Code::unauthorized, "the credential is not valid");
            }
            return found->second;
        };
        out.check_rate = [this](const service::Caller&, LimitClass) {
            const std::lock_guard lock(mutex_);
            steps_.emplace_back("rate");
            return rate_;
        };
        out.audit =
            [this](const auto&, const Route& used, const auto& id, auto*, auto* error, auto) {
                const std::lock_guard lock(mutex_);
                audited_.push_back(
                    std::string(used.path) + " " + (id.empty() ? "" : id + " ") +
                    (error != nullptr ? std::string(info(error->code).wire_name) : "ok")
                );
                return audit_fails_ ? Status(Error(Code::unavailable, "no room")) : ok();
            };
        out.served = [this](const Served& served) {
            trace_ = {
                .trace_id = std::string(served.trace_id), .span_id = std::string(served.span_id)
            };
            served_.push_back(
                std::string(served.path) + " " + std::to_string(served.status) + " " +
                (served.shed ? "shed" : "") + std::string(served.cause)
            );
        };
        out.maintenance = &maintenance_;
        out.admission = &admission_;
        out.shed = [this](Priority priority) { shed_.emplace_back(to_string(priority)); };
        return out;
    }

    static http::RequestHead head_of(
        std::string method, const std::string& target, http::Headers headers
    ) {
        http::RequestHead head;
        head.method = std::move(method);
        head.target = target;
        head.path = target.substr(0, target.find('?'));
        head.query =
            target.find('?') == std::string::npos ? "" : target.substr(head.path.size() + 1);
        head.headers = std::move(headers);
        head.peer.address = "10.0.0.7";
        return head;
    }

    http::Response ask(http::RequestHead head, std::string body = "") {
        auto exchange = std::make_shared<FakeExchange>(std::move(head), std::move(body));
        last_ = exchange;
        std::future<http::Response> answer = exchange->answer();
        http::BodyPlan plan = face().on_head(exchange->head());
        if (plan.kind == http::BodyPlan::Kind::reply_now) {
            exchange->set_context(plan.context);
            return std::move(plan.reply);
        }
        face().on_request(exchange);
        if (answer.wait_for(std::chrono::seconds(20)) != std::future_status::ready) {
            ADD_FAILURE() << "no answer to " << exchange->head().target;
            return {};
        }
        return answer.get();
    }
    /// What is not taken on: the answer waits a moment, so that asking again at once does not pay.
    http::Response shed(http::RequestHead head) {
        auto exchange = std::make_shared<FakeExchange>(std::move(head), "");
        std::future<http::Response> answer = exchange->answer();
        face().on_request(exchange);
        clock_.advance(HeldRefusals::kHold - Duration(1));
        face().look_at_refusals();
        EXPECT_EQ(answer.wait_for(std::chrono::seconds(0)), std::future_status::timeout);
        clock_.advance(Duration(1));
        face().look_at_refusals();
        EXPECT_EQ(answer.wait_for(std::chrono::seconds(0)), std::future_status::ready);
        face().on_response_sent({
            .head = &exchange->head(),
            .context = exchange->context(),
            .status = 503,
            .bytes_in = 1,
            .bytes_out = 1,
            .duration = Duration(1),
            .complete = true,
        });
        return answer.get();
    }
    http::Response get(const std::string& target, http::Headers headers = {}) {
        return ask(head_of("GET", target, std::move(headers)));
    }
    http::Response post(const std::string& target, std::string body, http::Headers headers = {}) {
        headers.emplace_back("Content-Type", "application/json");
        return ask(head_of("POST", target, std::move(headers)), std::move(body));
    }
    static http::Headers as(std::string_view who) {
        return {{"Authorization", "Bearer " + std::string(who)}};
    }
    static std::string code_of(const http::Response& response) {
        const Json body = Json::parse(response.body, nullptr, false);
        return body.is_object() && body.contains("error") ? body["error"].value("code", "?") : "";
    }
    static std::string header(const http::Response& response, std::string_view name) {
        const std::string_view own = http::find_header(response.headers, name);
        const std::string lines = to_lower(response.fixed_lines);
        const std::size_t at = lines.find(to_lower(name) + ": ");
        if (!own.empty() || at == std::string::npos) {
            return std::string(own);
        }
        const std::size_t begin = at + name.size() + 2;
        return std::string(response.fixed_lines.substr(begin, lines.find('\r', begin) - begin));
    }

    lab::test::ManualClock clock_;
    const Ctx ctx_{clock_};
    service::test::NumberedUuids uuids_;
    service::Deps service_;
    std::unique_ptr<storage::Database> database_;
    std::unique_ptr<storage::SessionPool> sessions_;
    service::MaintenanceFlag maintenance_;
    Admission admission_{{}};
    ApplicationOptions options_;
    std::mutex mutex_;
    std::map<std::string, service::Caller> callers_;
    service::RateDecision rate_{.limited = false};
    bool audit_fails_ = false;
    std::vector<std::string> steps_;
    std::vector<std::string> audited_;
    std::vector<std::string> served_;
    RandomTraceIds trace_ids_{1, 2};
    Tracer* tracer_ = nullptr;
    TraceContext trace_;
    std::vector<std::string> shed_;
    std::atomic<int> made_ = 0;
    std::shared_ptr<FakeExchange> last_;
    std::unique_ptr<Application> face_;
    WorkPool pool_{{.threads = 1, .queue_max = 8}};  ///< stops before what it works with goes
};

inline constexpr const char* kThing = "/things/0a0a0a0a-0000-4000-8000-000000000001";

}  // namespace lab::api::test
