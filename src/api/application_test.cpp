#include "api/impl/test_application.h"

namespace lab::api {
namespace {

using test::Face;
using test::kThing;
using test::user;
using testing::HasSubstr;

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

/// Keeps what it is sent, for the test.
class KeepingExporter final : public SpanExporter {
  public:
    explicit KeepingExporter(std::vector<SpanRecord>& kept) : kept_(kept) {}
    SpanDelivery send(std::span<const std::unique_ptr<SpanRecord>> spans) override {
        for (const auto& span : spans) {
            kept_.push_back(*span);
        }
        return {};
    }
    void interrupt() override {}

  private:
    std::vector<SpanRecord>& kept_;
};

TEST_F(Face, ARequestOfARecordedTraceIsASpan) {
    std::vector<SpanRecord> kept;
    Tracer tracer(clock_, trace_ids_, std::make_unique<KeepingExporter>(kept), {});
    tracer_ = &tracer;
    const std::string parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0";
    const auto serve = [&](const std::string& target, http::Headers headers, int status) {
        const http::RequestHead head = head_of("GET", target, std::move(headers));
        ask(head);
        face().on_response_sent({
            .head = &head,
            .context = last_->context(),
            .status = status,
            .bytes_in = 1,
            .bytes_out = 2,
            .duration = Duration(1),
            .complete = true,
        });
    };
    serve("/open", {{"traceparent", parent + "1"}, {"X-Request-ID", "r1"}}, 200);
    serve("/open", {{"traceparent", parent + "0"}}, 200);  // nobody wants to know
    serve("/open", {}, 503);
    serve("/nowhere", {}, 404);
    tracer.close(std::chrono::seconds(20));
    ASSERT_EQ(kept.size(), 2U);
    EXPECT_EQ(kept[0].name, "GET /open");
    EXPECT_EQ(kept[0].kind, SpanKind::server);
    EXPECT_EQ(std::string(kept[0].parent_id.data(), 16), "00f067aa0ba902b7");
    EXPECT_FALSE(kept[0].failed);
    const std::vector<std::pair<std::string, SpanValue>> wanted{
        {"http.request.method", std::string("GET")},
        {"http.route", std::string("/open")},
        {"llm_research.request.id", std::string("r1")},
        {"http.response.status_code", std::int64_t{200}},
        {"http.request.body.size", std::int64_t{1}},
        {"http.response.body.size", std::int64_t{2}},
    };
    EXPECT_EQ(kept[0].attributes, wanted);
    EXPECT_EQ(kept[1].parent_id[0], '\0');
    EXPECT_TRUE(kept[1].failed);
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
