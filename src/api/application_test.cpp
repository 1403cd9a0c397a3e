#include "api/application.h"

#include "api/impl/held_refusals.h"
#include "base/text.h"
#include "service/impl/test_platform.h"
#include "support/manual_clock.h"

#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <map>

namespace lab::api {
namespace {

using testing::HasSubstr;

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

const Json& named_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties", {{"name", {{"type", "string"}, {"minLength", 1}}}}},
        {"required", {"name"}},
        {"additionalProperties", false},
    };
    return kSchema;
}

service::Caller user(std::initializer_list<domain::Role> roles) {
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

    test::ManualClock clock_;
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
    TraceContext trace_;
    std::vector<std::string> shed_;
    std::atomic<int> made_ = 0;
    std::shared_ptr<FakeExchange> last_;
    std::unique_ptr<Application> face_;
    WorkPool pool_{{.threads = 1, .queue_max = 8}};  ///< stops before what it works with goes
};

constexpr const char* kThing = "/things/0a0a0a0a-0000-4000-8000-000000000001";

TEST_F(Face, AnswersWithJsonAndTheHeadersOfEveryAnswer) {
    const http::Response answer = get("/open");
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, R"({"hello":"you"})");
    EXPECT_EQ(header(answer, "content-type"), "application/json");
    EXPECT_EQ(header(answer, "x-content-type-options"), "nosniff");
    EXPECT_EQ(header(answer, "x-frame-options"), "DENY");
    EXPECT_EQ(header(answer, "strict-transport-security"), "max-age=31536000; includeSubDomains");
    EXPECT_EQ(header(answer, "content-security-policy"), "default-src 'self'");
    EXPECT_EQ(header(answer, "referrer-policy"), "strict-origin-when-cross-origin");
    EXPECT_TRUE(is_uuid(header(answer, "x-request-id")));
    EXPECT_EQ(get("/v1/open").status, 200);
}

TEST_F(Face, TakesTheRequestIdOfTheClientWhenItIsOne) {
    EXPECT_EQ(header(get("/open", {{"X-Request-ID", "abc-1"}}), "x-request-id"), "abc-1");
    const std::string longest(128, 'x');
    EXPECT_EQ(header(get("/open", {{"X-Request-ID", longest}}), "x-request-id"), longest);
    EXPECT_TRUE(is_uuid(header(get("/open", {{"X-Request-ID", longest + "x"}}), "x-request-id")));
    EXPECT_TRUE(is_uuid(header(get("/open", {{"X-Request-ID", "a b"}}), "x-request-id")));
    const http::Response refused = get("/nowhere", {{"X-Request-ID", "abc-2"}});
    EXPECT_EQ(Json::parse(refused.body)["error"]["request_id"], "abc-2");
}

TEST_F(Face, SaysWhatIsNotThere) {
    const http::Response nothing = get("/nowhere");
    EXPECT_EQ(nothing.status, 404);
    EXPECT_EQ(code_of(nothing), "NOT_FOUND");
    const http::Response method = ask(head_of("DELETE", "/things", {}));
    EXPECT_EQ(method.status, 405);
    EXPECT_EQ(code_of(method), "METHOD_NOT_ALLOWED");
    EXPECT_EQ(header(method, "allow"), "POST, OPTIONS");
    EXPECT_EQ(ask(head_of("BREW", "/open", {})).status, 405);
    EXPECT_EQ(get("/things/7", as("viewer")).status, 400);
    EXPECT_EQ(ask(head_of("HEAD", "/open", {})).status, 200);
}

TEST_F(Face, AsksWhoBeforeHowOftenBeforeWhetherTheyMay) {
    EXPECT_EQ(get("/admin/it", as("stranger")).status, 401);
    EXPECT_THAT(steps_, testing::ElementsAre("authenticate", "rate"));
    rate_ = {.allowed = false, .limit = 5, .reset_unix_s = 77, .retry_after_s = 3};
    EXPECT_EQ(get("/who", as("stranger")).status, 429) << "whoever guesses is slowed down";
    const http::Response limited = get("/admin/it", as("viewer"));
    EXPECT_EQ(limited.status, 429);
    EXPECT_EQ(code_of(limited), "RATE_LIMIT_EXCEEDED");
    EXPECT_EQ(header(limited, "retry-after"), "3");
    EXPECT_EQ(header(limited, "x-ratelimit-limit"), "5");
    EXPECT_EQ(header(limited, "x-ratelimit-remaining"), "0");
    EXPECT_EQ(header(limited, "x-ratelimit-reset"), "77");
    EXPECT_EQ(Json::parse(limited.body)["error"]["retry_after"], 3);
    rate_ = {.allowed = true, .limit = 5, .remaining = 4, .reset_unix_s = 77};
    EXPECT_EQ(get("/admin/it", as("viewer")).status, 403);
    EXPECT_EQ(header(get("/open"), "x-ratelimit-remaining"), "4");
}

TEST_F(Face, HoldsEveryGuard) {
    EXPECT_EQ(get("/open").status, 200);
    EXPECT_EQ(get("/open", as("stranger")).status, 401);
    const http::Response nobody = get("/who");
    EXPECT_EQ(nobody.status, 401);
    EXPECT_THAT(header(nobody, "www-authenticate"), HasSubstr("Bearer"));
    EXPECT_EQ(get("/who", as("viewer")).status, 200);
    EXPECT_EQ(get("/admin/it").status, 401);
    EXPECT_EQ(get("/admin/it", as("writer")).status, 403);
    EXPECT_EQ(get("/admin/it", as("root")).status, 200);
    const http::Response denied = post("/things", R"({"name":"a"})", as("viewer"));
    EXPECT_EQ(denied.status, 403);
    EXPECT_EQ(Json::parse(denied.body)["error"]["required_permission"], "experiments:write");
    EXPECT_EQ(made_, 0);
}

TEST_F(Face, KnowsThisMachineOnlyWithoutAProxyBetween) {
    const auto from = [&](bool loopback, http::Headers headers) {
        http::RequestHead head = head_of("GET", "/here", std::move(headers));
        head.peer.loopback = loopback;
        return ask(std::move(head)).status;
    };
    EXPECT_EQ(from(true, {}), 200);
    EXPECT_EQ(from(false, {}), 401);
    EXPECT_EQ(from(true, {{"X-Forwarded-For", "127.0.0.1"}}), 401);
    EXPECT_EQ(from(true, {{"Forwarded", "for=127.0.0.1"}}), 401);
    EXPECT_EQ(from(false, as("root")), 200);
}

TEST_F(Face, LetsNobodysOldTokenKeepThemFromLoggingIn) {
    EXPECT_EQ(ask(head_of("POST", "/auth/token", as("stranger"))).status, 200);
    EXPECT_THAT(steps_, testing::ElementsAre("rate"));
}

TEST_F(Face, ChecksTheBodyBeforeTheUseCase) {
    const auto status = [&](const char* body) {
        return post("/things", body, as("writer")).status;
    };
    EXPECT_EQ(status("{"), 400);
    EXPECT_EQ(status("[]"), 422);
    EXPECT_EQ(status("{}"), 422);
    EXPECT_EQ(status(R"({"name":"a","more":1})"), 422);
    EXPECT_EQ(status(""), 400);
    EXPECT_EQ(made_, 0);
    EXPECT_EQ(status(R"({"name":"a"})"), 201);
    EXPECT_EQ(made_, 1);
    const http::Response problems = post("/things", R"({"name":""})", as("writer"));
    EXPECT_EQ(code_of(problems), "VALIDATION_ERROR");
    EXPECT_EQ(Json::parse(problems.body)["error"]["details"][0]["field"], "name");
    http::Headers plain = as("writer");
    plain.emplace_back("Content-Type", "text/plain");
    EXPECT_EQ(ask(head_of("POST", "/things", plain), R"({"name":"a"})").status, 415);
}

TEST_F(Face, DoesNothingWhereNoAnswerWouldBeTaken) {
    const auto taking = [&](const std::string& user, const char* accept) {
        http::Headers out = as(user);
        out.emplace_back("Accept", accept);
        return out;
    };
    for (const char* accept : {"text/html", "application/json;q=0"}) {
        const http::Response refused = post("/things", R"({"name":"a"})", taking("writer", accept));
        EXPECT_EQ(refused.status, 406) << accept;
        EXPECT_EQ(code_of(refused), "NOT_ACCEPTABLE");
        EXPECT_EQ(get(kThing, taking("viewer", accept)).status, 406) << accept;
        EXPECT_EQ(get(kThing, {{"Accept", accept}}).status, 401) << "who asks comes first";
    }
    EXPECT_EQ(made_, 0);
    for (const char* accept : {"*/*", "application/*", "", "text/html, */*;q=0.8"}) {
        EXPECT_EQ(get(kThing, taking("viewer", accept)).status, 200) << accept;
    }
    http::Headers two = taking("viewer", "text/html");
    two.emplace_back("Accept", "application/json");
    EXPECT_EQ(get(kThing, std::move(two)).status, 200) << "two lines are one list";
}

TEST_F(Face, TakesNoQueryParameterItDoesNotKnow) {
    EXPECT_EQ(get(std::string(kThing) + "?limit=1", as("viewer")).status, 200);
    const http::Response wrong = get(std::string(kThing) + "?limt=1", as("viewer"));
    EXPECT_EQ(wrong.status, 400);
    EXPECT_THAT(wrong.body, HasSubstr("did you mean"));
    EXPECT_EQ(get(std::string(kThing) + "?limit=%zz", as("viewer")).status, 400);
}

TEST_F(Face, PlansBodiesByTheRoute) {
    EXPECT_EQ(face().on_head(head_of("POST", "/things", {})).bytes_max, 1000U);
    EXPECT_EQ(face().on_head(head_of("GET", "/open", {})).bytes_max, 64U << 10);
    EXPECT_EQ(face().on_head(head_of("POST", "/nowhere", {})).bytes_max, 64U << 10);
    EXPECT_EQ(face().on_head(head_of("POST", "/things", {})).kind, http::BodyPlan::Kind::buffer);
}

TEST_F(Face, RefusesWritesDuringMaintenanceAndNothingElse) {
    for (const bool by_operator : {false, true}) {
        maintenance_.set_by_setting(!by_operator);
        maintenance_.set_by_operator(by_operator);
        const http::Response refused = post("/things", R"({"name":"a"})", as("writer"));
        EXPECT_EQ(refused.status, 503);
        EXPECT_EQ(code_of(refused), "MAINTENANCE");
        EXPECT_FALSE(header(refused, "retry-after").empty());
        EXPECT_EQ(get("/open").status, 200);
        EXPECT_EQ(get("/health").body, "OK");
        EXPECT_EQ(get("/admin/it", as("root")).status, 200);
        // Who may not write hears that first.
        EXPECT_EQ(post("/things", R"({"name":"a"})", as("viewer")).status, 403);
    }
    maintenance_.set_by_operator(false);
    EXPECT_EQ(post("/things", R"({"name":"a"})", as("writer")).status, 201);
}

TEST_F(Face, ShedsBackgroundFirstAndCriticalNever) {
    admission_.observe({.cpu = 1});
    const http::Response busy = shed(head_of("GET", "/report", {}));
    EXPECT_EQ(busy.status, 503);
    EXPECT_EQ(code_of(busy), "OVERLOADED");
    EXPECT_EQ(header(busy, "retry-after"), "1");
    EXPECT_EQ(get("/open").status, 200);
    admission_.observe({.waiting = 1000});
    EXPECT_EQ(shed(head_of("GET", "/open", {})).status, 503);
    EXPECT_EQ(get("/health").status, 200);
    EXPECT_EQ(ask(head_of("POST", "/auth/token", {})).status, 200);
    EXPECT_THAT(shed_, testing::ElementsAre("background", "normal"));
    EXPECT_THAT(served_, testing::ElementsAre("/report 503 shed", "/open 503 shed"));
    face().end_refusals();
    EXPECT_EQ(get("/open").status, 503);  // who ends lets nobody wait
}

TEST_F(Face, DoesNotBeginWhatHasWaitedTooLong) {
    face();
    std::promise<void> go;
    ASSERT_TRUE(pool_.submit(WorkPool::Priority::critical, [&] { go.get_future().wait(); }));
    auto exchange = std::make_shared<FakeExchange>(head_of("GET", "/open", {}), "");
    std::future<http::Response> answer = exchange->answer();
    face().on_request(exchange);
    clock_.advance(std::chrono::seconds(6));
    go.set_value();
    ASSERT_EQ(answer.wait_for(std::chrono::seconds(20)), std::future_status::ready);
    EXPECT_EQ(code_of(answer.get()), "OVERLOADED");
    EXPECT_TRUE(steps_.empty());
}

TEST_F(Face, RefusesWhatFindsNoPlaceInTheQueue) {
    face();
    std::promise<void> go;
    std::promise<void> begun;
    ASSERT_TRUE(pool_.submit(WorkPool::Priority::critical, [&] {
        begun.set_value();
        go.get_future().wait();
    }));
    begun.get_future().wait();
    std::vector<std::future<http::Response>> answers;
    for (int i = 0; i < 9; ++i) {
        auto exchange = std::make_shared<FakeExchange>(head_of("GET", "/open", {}), "");
        answers.push_back(exchange->answer());
        face().on_request(exchange);
    }
    clock_.advance(HeldRefusals::kHold);
    go.set_value();
    std::map<int, int> statuses;
    for (std::future<http::Response>& answer : answers) {
        ASSERT_EQ(answer.wait_for(std::chrono::seconds(20)), std::future_status::ready);
        ++statuses[answer.get().status];
    }
    EXPECT_THAT(statuses, testing::ElementsAre(testing::Pair(200, 8), testing::Pair(503, 1)));
}

TEST_F(Face, ShowsNothingOfWhatBrokeInside) {
    const http::Response broken = get("/broken");
    EXPECT_EQ(broken.status, 500);
    EXPECT_EQ(code_of(broken), "INTERNAL_ERROR");
    EXPECT_EQ(broken.body.find("secret"), std::string::npos);
    EXPECT_EQ(get("/throws").status, 500);
    const http::RequestHead& head = last_->head();
    face().on_response_sent({
        .head = &head,
        .context = last_->context(),
        .status = 500,
        .bytes_in = 1,
        .bytes_out = 1,
        .duration = Duration(1),
        .complete = true,
    });
    EXPECT_THAT(served_, testing::ElementsAre("/throws 500 a package did"));
}

// The listener tells of a client that has gone at once, while a pool thread still finds out who it
// was and what became of it. ThreadSanitizer sees it when the two do not know of each other.
TEST_F(Face, TellsOfAClientThatLeftWhileItsAnswerIsMade) {
    for (int i = 0; i < 50; ++i) {
        auto exchange = std::make_shared<FakeExchange>(head_of("GET", "/broken", as("viewer")), "");
        std::future<http::Response> answer = exchange->answer();
        face().on_request(exchange);
        const auto tell = [&] {
            served_.clear();
            face().on_response_sent({
                .head = &exchange->head(),
                .context = exchange->context(),
                .status = 0,
                .bytes_in = 1,
                .bytes_out = 0,
                .duration = Duration(1),
                .complete = false,
            });
        };
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        auto state = std::future_status::timeout;
        while (state != std::future_status::ready && std::chrono::steady_clock::now() < end) {
            tell();
            state = answer.wait_for(std::chrono::seconds(0));
        }
        ASSERT_EQ(state, std::future_status::ready);
        tell();
        ASSERT_THAT(served_, testing::ElementsAre("/broken 0 disk"));
    }
}

TEST_F(Face, GoesOnWithTheTraceOfWhoAsksAndBeginsOneOtherwise) {
    const auto trace_of = [&](http::Headers headers) {
        const http::RequestHead head = head_of("GET", "/open", std::move(headers));
        ask(head);
        face().on_response_sent({
            .head = &head,
            .context = last_->context(),
            .status = 200,
            .bytes_in = 1,
            .bytes_out = 1,
            .duration = Duration(1),
            .complete = true,
        });
        return trace_;
    };
    const std::string id = "4bf92f3577b34da6a3ce929d0e0e4736";
    const std::string parent = "00-" + id + "-00f067aa0ba902b7-01";
    const TraceContext known = trace_of({{"traceparent", parent}});
    EXPECT_EQ(known.trace_id, id);
    EXPECT_EQ(known.span_id.size(), 16U);
    EXPECT_NE(known.span_id, "00f067aa0ba902b7");
    for (const http::Headers& headers :
         {http::Headers{},
          http::Headers{{"traceparent", "00-" + id + "-0000000000000000-01"}},
          http::Headers{{"traceparent", parent}, {"Traceparent", parent}}}) {
        const TraceContext begun = trace_of(headers);
        EXPECT_EQ(begun.trace_id.size(), 32U);
        EXPECT_NE(begun.trace_id, id);
    }
}

TEST_F(Face, GivesUpWhenTheTimeOfARequestIsOver) {
    const http::Response late = get("/slow");
    EXPECT_EQ(late.status, info(Code::timed_out).http_status);
}

TEST_F(Face, CompressesOnlyWhatIsLongAndWanted) {
    const http::Response plain = get("/long");
    EXPECT_EQ(header(plain, "content-encoding"), "");
    EXPECT_EQ(header(plain, "vary"), "Accept-Encoding");
    const http::Response small = get("/open", {{"Accept-Encoding", "gzip"}});
    EXPECT_EQ(header(small, "content-encoding"), "");
    for (const char* coding : {"gzip", "br", "zstd"}) {
        const http::Response packed = get("/long", {{"Accept-Encoding", coding}});
        EXPECT_EQ(header(packed, "content-encoding"), coding);
        EXPECT_LT(packed.body.size(), plain.body.size());
    }
    EXPECT_EQ(header(get("/long", {{"Accept-Encoding", "gzip;q=0"}}), "content-encoding"), "");
}

TEST_F(Face, TellsPagesOfAllowedOriginsAndNoOthers) {
    const http::Response welcome = get("/open", {{"Origin", "https://lab.example"}});
    EXPECT_EQ(header(welcome, "access-control-allow-origin"), "https://lab.example");
    EXPECT_EQ(header(welcome, "access-control-allow-credentials"), "");
    EXPECT_THAT(header(welcome, "access-control-expose-headers"), HasSubstr("x-request-id"));
    const http::Response other = get("/open", {{"Origin", "https://evil.example"}});
    EXPECT_EQ(other.status, 200);
    EXPECT_EQ(header(other, "access-control-allow-origin"), "");
    const auto preflight = [&](const char* origin) {
        return ask(head_of("OPTIONS", "/things", {{"Origin", origin}}));
    };
    const http::Response yes = preflight("https://lab.example");
    EXPECT_EQ(yes.status, 204);
    EXPECT_EQ(header(yes, "access-control-allow-methods"), "POST, OPTIONS");
    EXPECT_THAT(header(yes, "access-control-allow-headers"), HasSubstr("x-api-key"));
    EXPECT_EQ(header(yes, "access-control-max-age"), "3600");
    EXPECT_EQ(header(preflight("https://evil.example"), "access-control-allow-origin"), "");
}

TEST_F(Face, AnswersARepeatedRequestOnce) {
    http::Headers headers = as("writer");
    headers.emplace_back("Idempotency-Key", "k1");
    const http::Response first = post("/things", R"({"name":"a"})", headers);
    const http::Response again = post("/things", R"({"name":"a"})", headers);
    EXPECT_EQ(first.status, 201);
    EXPECT_EQ(again.status, 201);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(header(again, "idempotency-replayed"), "true");
    EXPECT_EQ(made_, 1);
    EXPECT_EQ(post("/things", R"({"name":"b"})", headers).status, 409);
}

TEST_F(Face, RecordsUsesAndRefusalsAndFailsWhenItCannot) {
    post("/things", R"({"name":"a"})", as("writer"));
    post("/things", R"({"name":"a"})", as("viewer"));
    EXPECT_THAT(audited_, testing::ElementsAre("/things ok", "/things FORBIDDEN"));
    audit_fails_ = true;
    EXPECT_EQ(post("/things", R"({"name":"a"})", as("writer")).status, 503);
}

TEST_F(Face, BelievesForwardedAddressesOfTrustedProxiesAlone) {
    const auto ip_behind = [&](const char* peer, const char* forwarded) {
        std::string seen;
        ApplicationDeps watching = deps();
        watching.authenticate = [&](const Ctx&, storage::Session&, const auto& given) {
            seen = given.ip;
            return Result<service::Caller>(service::Caller{});
        };
        auto router = Router::make(routes());
        face_ = std::make_unique<Application>(*std::move(router), watching, options_);
        http::RequestHead head = head_of("GET", "/open", {{"X-Forwarded-For", forwarded}});
        head.peer.address = peer;
        ask(std::move(head));
        return seen;
    };
    EXPECT_EQ(ip_behind("10.0.0.7", "1.2.3.4"), "10.0.0.7");
    EXPECT_EQ(ip_behind("10.0.0.1", "1.2.3.4"), "1.2.3.4");
    EXPECT_EQ(ip_behind("10.0.0.1", "6.6.6.6, 1.2.3.4, 10.0.0.1"), "1.2.3.4");
}

TEST_F(Face, AnswersWhatTheListenerRefuses) {
    const http::Response refused = face().refuse(431, "HEADERS_TOO_LARGE", "too many", nullptr);
    EXPECT_EQ(refused.status, 431);
    EXPECT_EQ(code_of(refused), "HEADERS_TOO_LARGE");
    EXPECT_EQ(header(refused, "x-frame-options"), "DENY");
    EXPECT_EQ(header(face().refuse(503, "OVERLOADED", "full", nullptr), "retry-after"), "5");
}

}  // namespace
}  // namespace lab::api
