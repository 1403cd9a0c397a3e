#include "api/application.h"

#include "api/accept.h"
#include "api/impl/encode.h"
#include "api/impl/held_refusals.h"
#include "api/impl/idempotency.h"
#include "api/impl/visit.h"
#include "base/text.h"
#include "base/uuid.h"
#include "platform/json/schema.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::api {
namespace {

constexpr std::size_t kRequestIdMax = 128;
constexpr std::string_view kPolicy = "Content-Security-Policy";
constexpr std::pair<std::string_view, std::string_view> kSecurityHeaders[] = {
    {"Strict-Transport-Security", "max-age=31536000; includeSubDomains"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {kPolicy, "default-src 'self'"},
    {"Referrer-Policy", "strict-origin-when-cross-origin"},
};
/// The same as they are sent.
constexpr std::string_view kSecurityLines =
    "Strict-Transport-Security: max-age=31536000; includeSubDomains\r\n"
    "X-Content-Type-Options: nosniff\r\n"
    "X-Frame-Options: DENY\r\n"
    "Content-Security-Policy: default-src 'self'\r\n"
    "Referrer-Policy: strict-origin-when-cross-origin\r\n";
constexpr std::size_t kUserAgentMax = 512;
constexpr std::size_t kBodyWithoutUse = 64U << 10;

bool is_visible_ascii(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

/// "application/json" of "application/json; charset=utf-8".
std::string media_type(std::string_view value) {
    return to_lower(trim(value.substr(0, value.find(';'))));
}

bool is_json_type(std::string_view content_type) {
    const std::string type = media_type(content_type);
    return type == "application/json" ||
           (type.starts_with("application/") && type.ends_with("+json"));
}

bool is_name(std::string_view name, std::string_view lower) {
    return std::ranges::equal(name, lower, [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b;
    });
}

/// All values of a header, as RFC 9110 section 5.3 joins them.
std::string joined_header(const http::Headers& headers, std::string_view name) {
    std::string out;
    for (const auto& [key, value] : headers) {
        if (is_name(key, name)) {
            out += (out.empty() ? "" : ", ") + value;
        }
    }
    return out;
}

/// An administrator; by a key only when its scopes narrow nothing.
bool may_operate(const service::Caller& caller) {
    return caller.is_admin() && (caller.kind != service::Caller::Kind::api_key ||
                                 std::ranges::find(caller.scopes, "*") != caller.scopes.end());
}

/// A package threw where nobody expected it: our bug, and no reason to die.
Error bug(const std::exception& thrown) {
    Error error(Code::internal, "");
    error.cause = thrown.what();
    return error;
}

}  // namespace

Application::Application(Router router, ApplicationDeps deps, ApplicationOptions options)
    : router_(std::move(router)),
      deps_(std::move(deps)),
      options_(std::move(options)),
      refusals_(std::make_unique<HeldRefusals>()) {}

Application::~Application() = default;

std::string Application::request_id_of(const http::RequestHead* head) const {
    if (head != nullptr) {
        const std::string_view given = http::find_header(head->headers, "x-request-id");
        if (!given.empty() && given.size() <= kRequestIdMax && is_visible_ascii(given)) {
            return std::string(given);
        }
    }
    return deps_.uuids->next();
}

http::BodyPlan Application::on_head(const http::RequestHead& head) {
    auto match = router_.find(head.method, head.path);
    const Route* const route = match ? match->route : nullptr;
    http::BodyPlan plan;
    if (route != nullptr && route->on_io_thread) {
        const std::shared_ptr<Visit> visit = begin_visit(head);
        visit->match = *std::move(match);
        plan.kind = http::BodyPlan::Kind::reply_now;
        plan.reply = answer_at_once(head, *visit);
        plan.context = visit;
        return plan;
    }
    if (route != nullptr && route->body == BodyKind::stream) {
        const Status good = route->check_head ? route->check_head(head, deps_.clock->wall()) : ok();
        if (good) {
            return stream_plan(*route);
        }
        const std::shared_ptr<Visit> visit = begin_visit(head);
        visit->match = *std::move(match);
        visit->set_cause(good.error().message);
        plan.kind = http::BodyPlan::Kind::reply_now;
        plan.reply = answer_error(*visit, good.error());
        plan.reply.close = true;
        plan.context = visit;
        return plan;
    }
    plan.kind = http::BodyPlan::Kind::buffer;
    plan.bytes_max = route != nullptr && route->body != BodyKind::none ? body_bytes_max(*route)
                                                                       : kBodyWithoutUse;
    return plan;
}

std::size_t Application::body_bytes_max(const Route& route) const {
    const std::size_t own =
        route.body_bytes_max == kJsonBytesMax ? options_.json_bytes_max : route.body_bytes_max;
    return route.guard == Guard::open ? own : std::min(own, options_.body_bytes_max);
}

std::shared_ptr<Application::Visit> Application::begin_visit(const http::RequestHead& head) const {
    auto visit = std::make_shared<Visit>();
    visit->begun = deps_.clock->now();
    visit->caller.request_id = request_id_of(&head);
    visit->caller.ip = client_address(head, options_.trusted_proxies);
    visit->caller.user_agent =
        sanitize_utf8(shorten(http::find_header(head.headers, "user-agent"), kUserAgentMax));
    // Sent more than once it is no traceparent any more, and a new trace begins.
    const auto parent = parse_trace_context(
        joined_header(head.headers, "traceparent"), joined_header(head.headers, "tracestate")
    );
    visit->trace =
        parent ? child_of(*parent, *deps_.trace_ids) : start_trace(*deps_.trace_ids, false);
    if (deps_.tracer != nullptr) {
        visit->trace.sampled =
            parent ? parent->sampled : deps_.tracer->samples(visit->trace.trace_id);
        visit->parent_span = parent ? parent->span_id : "";
        visit->place = deps_.tracer->place_of(visit->trace);
    }
    const std::string_view origin = http::find_header(head.headers, "origin");
    if (is_welcome(origin)) {
        visit->cors_origin = origin;
    }
    return visit;
}

void Application::begin_span(Visit& visit, const http::RequestHead& head) const {
    if (!visit.place.records()) {
        return;
    }
    const std::string_view path = visit.match.route->path;
    const std::scoped_lock lock(visit.telling);
    visit.span = Span::at(
        visit.place, visit.parent_span, head.method + " " + std::string(path), SpanKind::server
    );
    visit.span.set("http.request.method", head.method);
    visit.span.set("http.route", path);
    visit.span.set("llm_research.request.id", visit.caller.request_id);
}

/// Of a path that no route has. A slash too many is the mistake that cannot be seen.
static Error nothing_at(std::string_view path) {
    std::string words = "there is nothing at " + shorten(sanitize_utf8(path), 80);
    if (path.size() > 1 && path.ends_with('/')) {
        words += ": paths do not end in a slash";
    }
    return {Code::not_found, std::move(words)};
}

/// What never waits: probes, metrics, documents.
http::Response Application::answer_at_once(const http::RequestHead& head, Visit& visit) const {
    Result<Reply> reply = Error(Code::internal, "");
    try {
        Call call(head, visit.match.path_values, nullptr, Json());
        reply = visit.match.route->handler(call);
    } catch (const std::exception& error) {
        reply = bug(error);
    }
    if (!reply) {
        visit.set_cause(reply.error().cause);
        return answer_error(visit, reply.error());
    }
    http::Response response = answer(visit, *std::move(reply));
    compress(head, options_.compression, options_.compression_bytes_min, response);
    return response;
}

void Application::on_request(std::shared_ptr<http::Exchange> exchange) {
    const http::RequestHead& head = exchange->head();
    const std::shared_ptr<Visit> visit = begin_visit(head);
    exchange->set_context(visit);
    if (head.method == "OPTIONS") {
        const auto match = router_.find("OPTIONS", head.path);
        exchange->respond(preflight(*visit, head, match ? *match : Router::Match{}));
        return;
    }
    auto match = router_.find(head.method, head.path);
    if (!match) {
        exchange->respond(answer_error(*visit, match.error()));
        return;
    }
    visit->match = *std::move(match);
    const Route* const route = visit->match.route;
    if (route != nullptr) {
        begin_span(*visit, head);
    }
    if (route == nullptr) {
        if (visit->match.allowed.empty()) {
            exchange->respond(answer_error(*visit, nothing_at(head.path)));
            return;
        }
        Reply reply = problem_reply(
            405,
            "METHOD_NOT_ALLOWED",
            "this path knows " + allow_header(visit->match.allowed) + ", not " +
                shorten(sanitize_utf8(head.method), 20),
            visit->caller.request_id
        );
        reply.headers.emplace_back("Allow", allow_header(visit->match.allowed));
        exchange->respond(answer(*visit, std::move(reply)));
        return;
    }
    if (!deps_.admission->admits(route->priority) ||
        !deps_.pool->submit(pool_priority(route->priority), [this, exchange, visit] {
            look_at_refusals();  // first: who has the answer may be the last to need all this
            const Duration waited = deps_.clock->now() - visit->begun;
            if (deps_.admission->is_fresh(visit->match.route->priority, waited)) {
                handle(exchange, visit);
            } else {
                exchange->respond(overloaded(*visit));
            }
        })) {
        refusals_->hold(deps_.clock->now(), exchange, overloaded(*visit));
        look_at_refusals();
    }
}

void Application::look_at_refusals() { refusals_->release(deps_.clock->now()); }

void Application::end_refusals() { refusals_->end(); }

/// There is more to do than can be done, and this goes last.
http::Response Application::overloaded(Visit& visit) const {
    visit.set_shed();
    deps_.shed(visit.match.route->priority);
    Reply busy = problem_reply(
        503,
        "OVERLOADED",
        "there is more to do than can be done: try again in a moment",
        visit.caller.request_id
    );
    busy.headers.emplace_back("Retry-After", "1");
    return answer(visit, std::move(busy));
}

/// A change is refused soon where the database is silent, and whoever reads does not keep a thread
/// from it. Only what is removed may take its time, with all that hangs on it.
Duration Application::patience_with_database(const Visit& visit) {
    constexpr Duration kMost = std::chrono::seconds(3);
    return visit.match.route->method == "DELETE" ? Duration::max() : kMost;
}

void Application::handle(
    const std::shared_ptr<http::Exchange>& exchange, const std::shared_ptr<Visit>& visit
) {
    const SpanScope scope(visit->place);
    Result<Reply> reply = Error(Code::internal, "");
    try {
        const Ctx ctx = Ctx(*deps_.clock, exchange->cancelled()).within(options_.request_timeout);
        auto session = deps_.sessions->acquire(ctx, patience_with_database(*visit));
        reply = session ? carry_out(exchange, *visit, **session) : Result<Reply>(session.error());
    } catch (const std::exception& error) {
        reply = bug(error);
    }
    if (!reply) {
        visit->set_cause(reply.error().cause);
        exchange->respond(answer_error(*visit, reply.error()));
        return;
    }
    if (visit->writer) {
        return;  // the body comes now
    }
    if (reply->pieces) {
        send_pieces(exchange, visit, *std::move(reply));
        return;
    }
    if (reply->stream) {
        http::Headers headers = std::move(reply->headers);
        add_stream_headers(*visit, headers);
        reply->stream(exchange, std::move(headers));
        return;
    }
    http::Response response = answer(*visit, *std::move(reply));
    compress(exchange->head(), options_.compression, options_.compression_bytes_min, response);
    exchange->respond(std::move(response));
}

/// Everything the table asks for before a use case is called.
Status Application::admit(Visit& visit, const http::RequestHead& head) const {
    const Route& route = *visit.match.route;
    visit.rate = deps_.check_rate(visit.caller, route.limit);
    if (!visit.rate.allowed) {
        return service::rate_limit_error(visit.rate);
    }
    const bool anonymous = visit.caller.kind == service::Caller::Kind::anonymous;
    switch (route.guard) {
        case Guard::open:
            break;
        case Guard::caller:
            if (anonymous) {
                return Error(Code::unauthorized, "a credential is needed");
            }
            break;
        case Guard::permission:
            if (!route.permission) {
                return Error(Code::internal, "");  // Router::make takes no such route
            }
            LAB_CHECK(service::require_or_scope(visit.caller, *route.permission, route.or_scope));
            break;
        case Guard::loopback:
            if (anonymous && head.peer.loopback && !came_through_a_proxy(head)) {
                break;
            }
            [[fallthrough]];
        case Guard::admin:
            if (anonymous) {
                return Error(Code::unauthorized, "a credential is needed");
            }
            if (!may_operate(visit.caller)) {
                return Error(
                    Code::forbidden, "this is for operators", {{"required_permission", "admin"}}
                );
            }
            break;
        case Guard::undeclared:
            return Error(Code::internal, "");
    }
    return ok();
}

/// Who sends the request, by its credential; until then it is nobody's.
Status Application::identify(
    Visit& visit, const http::RequestHead& head, const service::Request& request
) const {
    const Guard guard = visit.match.route->guard;
    const bool admin_route = guard == Guard::admin || guard == Guard::loopback;
    const std::string authorization = joined_header(head.headers, "authorization");
    const std::string api_key = joined_header(head.headers, "x-api-key");
    const std::string admin_key = joined_header(head.headers, "x-admin-key");
    const auto given = [](const std::string& text) {
        return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
    };
    const service::Presented presented{
        .authorization = given(authorization),
        .api_key = given(api_key),
        .admin_key = given(admin_key),
        .is_admin_route = admin_route,
        .ip = visit.caller.ip,
        .user_agent = visit.caller.user_agent,
        .request_id = visit.caller.request_id,
    };
    service::Caller caller;
    // Where one logs in, what one was before does not matter: an expired token is why one comes.
    if (visit.match.route->limit != LimitClass::login) {
        LAB_TRY(caller, deps_.authenticate(request.ctx, request.session, presented));
    }
    caller.request_id = visit.caller.request_id;
    caller.ip = visit.caller.ip;
    caller.user_agent = visit.caller.user_agent;
    visit.set_caller(std::move(caller));
    return ok();
}

Result<Reply> Application::carry_out(
    const std::shared_ptr<http::Exchange>& exchange, Visit& visit, storage::Session& session
) {
    const http::RequestHead& head = exchange->head();
    const Route& route = *visit.match.route;
    // Of a body that is all there; what is refused before the use case lets go of it.
    std::unique_ptr<BodyWriter> written = std::move(visit.writer);
    const Ctx ctx = Ctx(*deps_.clock, exchange->cancelled()).within(options_.request_timeout);
    const service::Request request{ctx, *deps_.service, session, visit.caller};
    std::optional<AuditClass> audit_as;
    const auto audited = [&](const Reply* reply, const Error* error) {
        const Duration took = deps_.clock->now() - visit.begun;
        const AuditClass& what = audit_as ? *audit_as : route.audit;
        const std::string id = audited_id(route.path, what, visit.match.path_values, reply);
        if (!audit_as) {
            return deps_.audit(request, route, id, reply, error, took);
        }
        Route as = route;
        as.audit = *audit_as;
        return deps_.audit(request, as, id, reply, error, took);
    };
    if (const Status known = identify(visit, head, request); !known) {
        if (known.error().code == Code::unauthorized) {
            // Whoever guesses is told less and less often that it was wrong, and is on record.
            visit.rate = deps_.check_rate(visit.caller, route.limit);
            if (!visit.rate.allowed) {
                return service::rate_limit_error(visit.rate);
            }
            LAB_CHECK(audited(nullptr, &known.error()));
        }
        return known.error();
    }
    if (Status admitted = admit(visit, head); !admitted) {
        LAB_CHECK(audited(nullptr, &admitted.error()));
        return admitted.error();
    }
    if (route.maintenance == InMaintenance::refused && deps_.maintenance->on()) {
        Reply reply = problem_reply(
            503,
            "MAINTENANCE",
            "maintenance is under way: nothing is changed or started meanwhile",
            visit.caller.request_id
        );
        reply.headers.emplace_back("Retry-After", "60");
        return reply;
    }
    if (has_known_types(route) && !accepts_any_of(joined_header(head.headers, "accept"), route)) {
        return problem_reply(
            406,
            "NOT_ACCEPTABLE",
            "nothing this path answers with is among what Accept takes: */* takes everything",
            visit.caller.request_id
        );
    }
    const std::string_view type = http::find_header(head.headers, "content-type");
    if (route.body == BodyKind::json && !route.any_content_type && !exchange->body().empty() &&
        !is_json_type(type)) {
        return problem_reply(
            415,
            "UNSUPPORTED_MEDIA_TYPE",
            "the body must be JSON, with Content-Type: application/json",
            visit.caller.request_id
        );
    }
    const JsonLimits limits{
        .bytes_max = body_bytes_max(route), .depth_max = options_.json_depth_max
    };
    auto call = read_call(*exchange, visit.match, request, limits);
    if (!call) {
        return call.error();
    }
    const bool streams = route.body == BodyKind::stream;
    if (streams && written == nullptr) {
        LAB_TRY(const auto key, idempotency_key(route, *call));
        auto writer = route.open_body(*call);
        if (!writer) {
            LAB_CHECK(audited(nullptr, &writer.error()));
            return writer.error();
        }
        visit.writer = *std::move(writer);
        if (key) {
            visit.body_hash.emplace();
        }
        return Reply{};
    }
    call->body_writer = std::move(written);
    const std::string hashed = visit.body_hash ? visit.body_hash->finish() : "";
    Result<Reply> reply =
        route.may_be_old && deps_.copies != nullptr
            ? read_copy(route, *call)
            : run_once(route, *call, streams ? std::string_view(hashed) : exchange->body());
    audit_as = call->audit_as;
    LAB_CHECK(audited(reply ? &*reply : nullptr, reply ? nullptr : &reply.error()));
    return reply;
}

/// A list from the copy; from the database itself while there is none.
Result<Reply> Application::read_copy(const Route& route, Call& call) {
    constexpr Duration kPause = std::chrono::seconds(5);
    constexpr Duration kPatience = std::chrono::seconds(1);
    const service::Request& request = call.request();
    if (request.ctx.clock().now() >= copies_from_.load()) {
        const auto session = deps_.copies->acquire(request.ctx.within(kPatience), kPatience);
        if (session) {
            const service::Request old{request.ctx, request.deps, **session, request.caller};
            call.set_request(old);
            Result<Reply> reply = route.handler(call);
            call.set_request(request);
            if (reply || (reply.error().code != Code::unavailable &&
                          reply.error().code != Code::timed_out)) {
                return reply;
            }
        }
        copies_from_ = request.ctx.clock().now() + kPause;
    }
    return route.handler(call);
}

http::Response Application::answer(const Visit& visit, Reply reply) const {
    http::Response response;
    response.status = reply.status;
    response.headers = std::move(reply.headers);
    if (reply.json) {
        response.body = dump_json(*reply.json);
    } else {
        response.body = std::move(reply.text);
    }
    if (reply.status != 204) {
        response.headers.emplace_back("Content-Type", reply.content_type);
    }
    add_common_headers(visit, response);
    return response;
}

http::Response Application::answer_error(const Visit& visit, const Error& error) const {
    http::Response response;
    response.status = info(error.code).http_status;
    response.body = dump_json(error_json(error, visit.caller.request_id));
    response.headers.emplace_back("Content-Type", "application/json");
    if (error.code == Code::unauthorized) {
        response.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"llm-research\"");
    }
    const auto wait = std::ranges::find(error.details, "retry_after", &Detail::field);
    if (wait != error.details.end()) {
        response.headers.emplace_back("Retry-After", wait->message);
    } else if (response.status == 503) {
        response.headers.emplace_back("Retry-After", "5");
    }
    add_common_headers(visit, response);
    return response;
}

void Application::add_common_headers(const Visit& visit, http::Response& response) const {
    add_own_headers(visit, response.headers);
    // All the same but for pages that may load more: those have their own policy.
    if (http::find_header(response.headers, kPolicy).empty()) {
        response.fixed_lines = kSecurityLines;
        return;
    }
    for (const auto& [name, value] : kSecurityHeaders) {
        if (name != kPolicy) {
            response.headers.emplace_back(name, value);
        }
    }
}

void Application::add_stream_headers(const Visit& visit, http::Headers& headers) const {
    add_own_headers(visit, headers);
    for (const auto& [name, value] : kSecurityHeaders) {
        if (http::find_header(headers, name).empty()) {
            headers.emplace_back(name, value);
        }
    }
}

/// Those that differ from answer to answer.
void Application::add_own_headers(const Visit& visit, http::Headers& headers) const {
    headers.emplace_back("X-Request-ID", visit.caller.request_id);
    if (!visit.cors_origin.empty()) {
        headers.emplace_back("Access-Control-Allow-Origin", visit.cors_origin);
        headers.emplace_back(
            "Access-Control-Expose-Headers",
            "x-request-id, x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset, etag, "
            "link, x-next-cursor, x-total-count"
        );
        headers.emplace_back("Vary", "Origin");
    }
    if (visit.rate.limited) {
        headers.emplace_back("X-RateLimit-Limit", std::to_string(visit.rate.limit));
        headers.emplace_back("X-RateLimit-Remaining", std::to_string(visit.rate.remaining));
        headers.emplace_back("X-RateLimit-Reset", std::to_string(visit.rate.reset_unix_s));
    }
}

bool Application::is_welcome(std::string_view origin) const {
    const auto& origins = options_.cors_origins;
    return !origin.empty() && std::ranges::find(origins, origin) != origins.end();
}

http::Response Application::preflight(
    const Visit& visit, const http::RequestHead& head, const Router::Match& match
) const {
    http::Response response;
    response.status = 204;
    if (!match.allowed.empty()) {
        response.headers.emplace_back("Allow", allow_header(match.allowed));
    }
    add_common_headers(visit, response);
    if (is_welcome(http::find_header(head.headers, "origin"))) {
        response.headers.emplace_back("Access-Control-Allow-Methods", allow_header(match.allowed));
        response.headers.emplace_back(
            "Access-Control-Allow-Headers",
            "authorization, content-type, idempotency-key, if-match, x-api-key, x-request-id"
        );
        response.headers.emplace_back("Access-Control-Max-Age", "3600");
    }
    return response;
}

http::Response Application::refuse(
    int status, std::string_view code, std::string_view why, const http::RequestHead* head
) {
    http::Response response;
    response.status = status;
    Json error = Json::object();
    error["code"] = code;
    error["message"] = why;
    error["request_id"] = request_id_of(head);
    Visit visit;
    visit.caller.request_id = error["request_id"].get<std::string>();
    response.headers.emplace_back("Content-Type", "application/json");
    if (status == 503) {
        response.headers.emplace_back("Retry-After", "5");
    }
    add_common_headers(visit, response);
    response.body = dump_json({{"error", std::move(error)}});
    return response;
}

/// Probes and scrapes have no span: there are many, and they say nothing.
static void end_span(Span& span, const http::Sent& sent, const service::Caller& caller) {
    if (!span.recorded()) {
        return;
    }
    span.set("http.response.status_code", sent.status);
    span.set("http.request.body.size", sent.bytes_in);
    span.set("http.response.body.size", sent.bytes_out);
    if (!caller.user_id.empty()) {
        span.set("user.id", caller.user_id);
    }
    if (sent.status >= 500) {
        span.fail(std::to_string(sent.status));
    }
    span.end();
}

void Application::on_response_sent(const http::Sent& sent) {
    auto* const visit = static_cast<Visit*>(sent.context.get());
    const bool matched = visit != nullptr && visit->match.route != nullptr;
    const auto lock =
        visit != nullptr ? std::unique_lock(visit->telling) : std::unique_lock<std::mutex>();
    if (visit != nullptr) {
        end_span(visit->span, sent, visit->caller);
    }
    deps_.served({
        .route = matched ? visit->match.route : nullptr,
        .method = sent.head != nullptr ? std::string_view(sent.head->method) : "",
        .path = matched ? visit->match.route->path : "unmatched",
        .status = sent.status,
        .duration = sent.duration,
        .bytes_in = sent.bytes_in,
        .bytes_out = sent.bytes_out,
        .request_id = visit != nullptr ? std::string_view(visit->caller.request_id) : "",
        .user_id = visit != nullptr ? std::string_view(visit->caller.user_id) : "",
        .trace_id = visit != nullptr ? std::string_view(visit->trace.trace_id) : "",
        .span_id = visit != nullptr ? std::string_view(visit->trace.span_id) : "",
        .cause = visit != nullptr ? std::string_view(visit->cause) : "",
        .shed = visit != nullptr && visit->shed,
    });
}

}  // namespace lab::api
