#include "api/oidc.h"

#include "api/impl/tokens.h"

#include <nlohmann/json.hpp>

namespace lab::api {
namespace {

Error not_configured() {
    return {Code::not_found, "login at an identity provider is not set up here (OIDC_ISSUER)"};
}

Route route(std::string_view path, std::string_view summary, Handler handler) {
    Route out;
    out.method = "GET";
    out.path = path;
    out.summary = summary;
    out.tag = "Authentication";
    out.guard = Guard::open;
    out.limit = LimitClass::login;
    out.handler = std::move(handler);
    return out;
}

}  // namespace

std::vector<Route> oidc_routes(service::OidcLogin* oidc) {
    std::vector<Route> out;
    Route login = route(
        "/auth/oidc/login",
        "Log in at the identity provider: sends the browser there",
        [oidc](Call& call) -> Result<Reply> {
            if (oidc == nullptr) {
                return not_configured();
            }
            LAB_TRY(service::OidcLogin::Begun begun, oidc->begin(call.request().ctx));
            Reply reply;
            reply.status = 302;
            reply.headers.emplace_back("Location", std::move(begun.location));
            reply.headers.emplace_back("Set-Cookie", std::move(begun.cookie));
            reply.headers.emplace_back("Cache-Control", "no-store");
            return reply;
        }
    );
    login.success = 302;
    login.errors = {404, 502, 504};
    out.push_back(std::move(login));
    Route callback = route(
        "/auth/oidc/callback",
        "Where the provider sends the browser back to; the answer is a pair of tokens",
        [oidc](Call& call) -> Result<Reply> {
            if (oidc == nullptr) {
                return not_configured();
            }
            LAB_TRY(
                Json tokens,
                oidc->finish(
                    call.request(),
                    {.state = call.query("state").value_or(""),
                     .code = call.query("code").value_or(""),
                     .error = call.query("error").value_or(""),
                     .issuer = call.query("iss").value_or(""),
                     .cookie = std::string(call.header("cookie"))}
                )
            );
            Reply reply = reply_tokens(std::move(tokens));
            reply.headers.emplace_back("Set-Cookie", oidc->forget_cookie());
            return reply;
        }
    );
    callback.response_schema = &tokens_schema();
    callback.query = {
        {"state", "string", "As it was given to the provider"},
        {"code", "string", "The provider's, good once"},
        {"iss", "string", "Who the provider is"},
        {"error", "string", "Why the provider refused"},
        {"error_description", "string", "The same in words; not looked at"},
        {"error_uri", "string", "The same as a page; not looked at"},
        {"session_state", "string", "Of the provider; not looked at"},
        {"scope", "string", "Of the provider; not looked at"},
    };
    callback.errors = {403, 404, 502, 504};
    out.push_back(std::move(callback));
    return out;
}

}  // namespace lab::api
