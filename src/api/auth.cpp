#include "api/auth.h"

#include "api/impl/tokens.h"
#include "service/users.h"

#include <nlohmann/json.hpp>

namespace lab::api {
namespace {

constexpr std::string_view kTag = "Authentication";

Json text(std::int64_t least, std::int64_t most) {
    return {{"type", "string"}, {"minLength", least}, {"maxLength", most}};
}

const Json& login_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties",
         {{"username", text(1, 320)}, {"email", text(1, 320)}, {"password", text(1, 1024)}}},
        {"required", {"password"}},
        {"additionalProperties", false},
    };
    return kSchema;
}

const Json& refresh_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties", {{"refresh_token", text(1, 8192)}}},
        {"required", {"refresh_token"}},
        {"additionalProperties", false},
    };
    return kSchema;
}

const Json& bootstrap_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties",
         {{"bootstrap_token", text(1, 256)},
          {"email", text(3, 320)},
          {"name", text(1, 255)},
          {"password", text(1, 1024)}}},
        {"required", {"bootstrap_token", "email", "name", "password"}},
        {"additionalProperties", false},
    };
    return kSchema;
}

const Json& password_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties", {{"current_password", text(1, 1024)}, {"new_password", text(1, 1024)}}},
        {"required", {"current_password", "new_password"}},
        {"additionalProperties", false},
    };
    return kSchema;
}

Result<std::string> account_of(const Json& body) {
    const bool name = body.contains("username");
    if (name == body.contains("email")) {
        return Error(
            Code::validation, "say who logs in", {{"email", "give either email or username"}}
        );
    }
    return body[name ? "username" : "email"].get<std::string>();
}

Route login_route(service::Identity& identity, std::string_view path) {
    Route out;
    out.method = "POST";
    out.path = path;
    out.summary = "Log in with a password; the answer is a pair of tokens";
    out.tag = kTag;
    out.guard = Guard::open;
    out.limit = LimitClass::login;
    out.body = BodyKind::json;
    out.request_schema = &login_schema();
    out.response_schema = &tokens_schema();
    out.handler = [&identity](Call& call) -> Result<Reply> {
        LAB_TRY(const std::string account, account_of(call.body()));
        LAB_TRY(
            Json tokens,
            identity.login(call.request(), account, call.body()["password"].get<std::string>())
        );
        return reply_tokens(std::move(tokens));
    };
    return out;
}

Route refresh_route(service::Identity& identity) {
    Route out;
    out.method = "POST";
    out.path = "/auth/refresh";
    out.summary = "Exchange a refresh token for a new pair; the old one is dead from then on";
    out.tag = kTag;
    out.guard = Guard::open;
    out.limit = LimitClass::login;
    out.body = BodyKind::json;
    out.request_schema = &refresh_schema();
    out.response_schema = &tokens_schema();
    out.handler = [&identity](Call& call) -> Result<Reply> {
        LAB_TRY(
            Json tokens,
            identity.refresh(call.request(), call.body()["refresh_token"].get<std::string>())
        );
        return reply_tokens(std::move(tokens));
    };
    return out;
}

/// What is wrong with a change of the password, in the names of the body's members. Who asks has
/// shown who they are, so a wrong password is a mistake of the body and no missing credential.
Error password_refused(Error error) {
    if (error.code == Code::unauthorized) {
        Error out(
            Code::validation,
            "the password cannot be changed like this",
            {{"current_password", "is not right"}}
        );
        out.cause = std::move(error.cause);
        return out;
    }
    for (Detail& detail : error.details) {
        if (detail.field == "password") {
            detail.field = "new_password";
        }
    }
    return error;
}

Route password_route(service::Identity& identity) {
    Route out;
    out.method = "POST";
    out.path = "/auth/password";
    out.summary = "Change the own password; all logins end, the answer is a new one";
    out.tag = kTag;
    out.guard = Guard::caller;
    out.body = BodyKind::json;
    out.request_schema = &password_schema();
    out.response_schema = &tokens_schema();
    out.errors = {403};
    out.handler = [&identity](Call& call) -> Result<Reply> {
        const Json& body = call.body();
        auto tokens = service::change_password(
            call.request(),
            identity,
            body["current_password"].get<std::string>(),
            body["new_password"].get<std::string>()
        );
        if (!tokens) {
            return password_refused(std::move(tokens).error());
        }
        return reply_tokens(*std::move(tokens));
    };
    return out;
}

Route bootstrap_route(service::Identity& identity) {
    Route out;
    out.method = "POST";
    out.path = "/auth/bootstrap";
    out.summary = "Make the first administrator with the token that an empty service printed";
    out.tag = kTag;
    out.guard = Guard::open;
    out.limit = LimitClass::login;
    out.body = BodyKind::json;
    out.request_schema = &bootstrap_schema();
    out.success = 201;
    out.errors = {409};
    out.handler = [&identity](Call& call) -> Result<Reply> {
        const Json& body = call.body();
        LAB_TRY(
            Json user,
            identity.bootstrap(
                call.request(),
                body["bootstrap_token"].get<std::string>(),
                body["email"].get<std::string>(),
                body["name"].get<std::string>(),
                body["password"].get<std::string>()
            )
        );
        return reply_json(std::move(user), 201);
    };
    return out;
}

}  // namespace

const Json& tokens_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties",
         {{"access_token", {{"type", "string"}}},
          {"refresh_token", {{"type", "string"}}},
          {"token_type", {{"type", "string"}}},
          {"expires_in", {{"type", "integer"}}}}},
        {"required", {"access_token", "token_type", "expires_in"}},
    };
    return kSchema;
}

Reply reply_tokens(Json tokens) {
    Reply reply = reply_json(std::move(tokens));
    reply.headers.emplace_back("Cache-Control", "no-store");
    return reply;
}

std::vector<Route> auth_routes(service::Identity& identity) {
    std::vector<Route> out;
    out.push_back(login_route(identity, "/auth/token"));
    out.push_back(login_route(identity, "/auth/login"));
    out.push_back(refresh_route(identity));
    out.push_back(bootstrap_route(identity));
    out.push_back(password_route(identity));
    Route logout;
    logout.method = "POST";
    logout.path = "/auth/logout";
    logout.summary = "End the login this token belongs to";
    logout.tag = kTag;
    logout.guard = Guard::caller;
    logout.success = 204;
    logout.handler = [&identity](Call& call) -> Result<Reply> {
        if (call.request().caller.kind != service::Caller::Kind::user) {
            return Error(Code::bad_request, "only a token logs out; a key is revoked");
        }
        LAB_CHECK(identity.logout(call.request(), call.header("authorization")));
        return reply_nothing();
    };
    out.push_back(std::move(logout));
    Route me;
    me.method = "GET";
    me.path = "/auth/me";
    me.summary = "Who the caller is and what they may do";
    me.tag = kTag;
    me.guard = Guard::caller;
    me.handler = [&identity](Call& call) -> Result<Reply> {
        LAB_TRY(Json who, identity.me(call.request()));
        return reply_json(std::move(who));
    };
    out.push_back(std::move(me));
    return out;
}

}  // namespace lab::api
