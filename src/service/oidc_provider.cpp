#include "service/impl/oidc_provider.h"

#include "base/percent.h"
#include "base/text.h"
#include "platform/crypto/base64url.h"
#include "platform/json/json.h"
#include "service/impl/identity_impl.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

constexpr std::chrono::hours kKept{1};
constexpr std::chrono::minutes kRefreshWindow{1};
constexpr int kRefreshesMax = 5;
constexpr JsonLimits kAnswerLimits{.bytes_max = 256U << 10, .depth_max = 16, .keys_max = 512};

Error nonsense(std::string_view what) {
    Error error(Code::upstream_error, "the identity provider cannot be used at the moment");
    error.cause = "oidc: " + std::string(what);
    return error;
}

std::string text_of(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

/// "host" of "https://host:1/x"; empty for what is no plain URL.
std::string host_of(std::string_view url) {
    const std::size_t scheme = url.find("://");
    const bool plain = std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7f; });
    if (!plain || scheme == url.npos || url.find('@') != url.npos || url.find('\\') != url.npos) {
        return "";
    }
    std::string_view rest = url.substr(scheme + 3);
    rest = rest.substr(0, rest.find_first_of("/?#"));
    return rest.starts_with('[') ? to_lower(rest.substr(0, rest.find(']') + 1))
                                 : to_lower(rest.substr(0, rest.find(':')));
}

/// "Basic ..." of RFC 7617, which has base64 in its first alphabet and padded.
std::string basic(const std::string& pair) {
    std::string out = base64url_encode(pair);
    std::ranges::replace(out, '-', '+');
    std::ranges::replace(out, '_', '/');
    out.append((4 - out.size() % 4) % 4, '=');
    return "Basic " + out;
}

bool lists(const Json& document, const char* member, std::string_view word) {
    const auto found = document.find(member);
    return found != document.end() && found->is_array() &&
           std::ranges::find(*found, Json(word)) != found->end();
}

}  // namespace

OidcProvider::OidcProvider(const OidcConfig& config, WebFetch fetch, const Clock& clock)
    : config_(config), fetch_(std::move(fetch)), clock_(clock) {}

Status OidcProvider::check_place(const std::string& url) const {
    const std::string host = host_of(url);
    const bool loopback = host == "127.0.0.1" || host == "[::1]" || host == "localhost";
    const bool secure = url.starts_with("https://") ||
                        (url.starts_with("http://") && loopback && config_.plain_loopback);
    const bool known =
        !host.empty() && (host == host_of(config_.issuer) ||
                          std::ranges::find(config_.hosts, host) != config_.hosts.end());
    return secure && known ? ok() : Status(nonsense("an address that is not the issuer's"));
}

Result<Json> OidcProvider::fetch_object(const Ctx& ctx, const WebRequest& request) {
    LAB_CHECK(check_place(request.url));
    LAB_TRY(const WebAnswer answer, fetch_(ctx, request));
    if (answer.status != 200) {
        return nonsense("status " + std::to_string(answer.status));
    }
    auto object = parse_json(answer.body, kAnswerLimits);
    if (!object || !object->is_object()) {
        return nonsense("an answer that is no JSON object");
    }
    return *std::move(object);
}

Result<OidcProvider::Endpoints> OidcProvider::endpoints(const Ctx& ctx) {
    {
        const std::lock_guard lock(mutex_);
        if (endpoints_ && clock_.now() < endpoints_until_) {
            return *endpoints_;
        }
    }
    std::string url = config_.issuer;
    url += url.ends_with('/') ? "" : "/";
    url += ".well-known/openid-configuration";
    LAB_TRY(const Json document, fetch_object(ctx, {.method = "GET", .url = url}));
    // Discovery 1.0 section 4.3: or somebody else's tokens would be taken for this one's.
    if (text_of(document, "issuer") != config_.issuer) {
        return nonsense("the issuer calls itself otherwise");
    }
    Endpoints out{
        .authorization = text_of(document, "authorization_endpoint"),
        .token = text_of(document, "token_endpoint"),
        .keys = text_of(document, "jwks_uri"),
        .userinfo = text_of(document, "userinfo_endpoint"),
    };
    const char* const methods = "token_endpoint_auth_methods_supported";
    out.secret_in_body = document.contains(methods) &&
                         !lists(document, methods, "client_secret_basic") &&
                         lists(document, methods, "client_secret_post");
    out.names_itself =
        document.value("authorization_response_iss_parameter_supported", Json(false)) == Json(true);
    for (const std::string& place : {out.authorization, out.token, out.keys}) {
        LAB_CHECK(check_place(place));
    }
    const std::lock_guard lock(mutex_);
    endpoints_ = out;
    endpoints_until_ = clock_.now() + kKept;
    return out;
}

Result<JwkSet> OidcProvider::keys(const Ctx& ctx, bool again) {
    LAB_TRY(const Endpoints places, endpoints(ctx));
    {
        const std::lock_guard lock(mutex_);
        const TimePoint now = clock_.now();
        const bool fresh = keys_.size() > 0 && now < keys_until_;
        if (fresh && again) {
            if (now - refreshes_from_ >= kRefreshWindow) {
                refreshes_from_ = now;
                refreshes_ = 0;
            }
            // Whoever invents names of keys must not make us ask for each.
            again = ++refreshes_ <= kRefreshesMax;
        }
        if (fresh && !again) {
            return keys_;
        }
    }
    LAB_CHECK(check_place(places.keys));
    LAB_TRY(const WebAnswer answer, fetch_(ctx, {.method = "GET", .url = places.keys}));
    auto found =
        answer.status == 200 ? JwkSet::parse(answer.body) : Result<JwkSet>(nonsense("no keys"));
    if (!found || found->size() == 0) {
        return nonsense("no keys that we can use");
    }
    const std::lock_guard lock(mutex_);
    keys_ = *found;
    keys_until_ = clock_.now() + kKept;
    return *std::move(found);
}

Result<Json> OidcProvider::verify(
    const Ctx& ctx, const std::string& token, const std::string& nonce
) {
    const IdTokenRules rules{
        .issuer = config_.issuer, .client_id = config_.client_id, .nonce = nonce
    };
    for (const bool again : {false, true}) {
        LAB_TRY(const JwkSet known, keys(ctx, again));
        auto claims = verify_id_token(token, known, rules, clock_.wall());
        if (claims || claims.error().code != Code::not_found) {
            return claims;
        }
    }
    return refuse_credential("oidc: identity: signed with an unknown key");
}

Result<Json> OidcProvider::redeem(
    const Ctx& ctx, const std::string& code, const std::string& verifier, const std::string& nonce
) {
    LAB_TRY(const Endpoints places, endpoints(ctx));
    WebRequest ask{.method = "POST", .url = places.token};
    ask.form = "grant_type=authorization_code&code=" + percent_encode(code) +
               "&redirect_uri=" + percent_encode(config_.redirect_url) +
               "&code_verifier=" + percent_encode(verifier);
    if (config_.client_secret.empty() || places.secret_in_body) {
        ask.form += "&client_id=" + percent_encode(config_.client_id);
    }
    if (!config_.client_secret.empty()) {
        if (places.secret_in_body) {
            ask.form += "&client_secret=" + percent_encode(config_.client_secret);
        } else {
            ask.authorization = basic(
                percent_encode(config_.client_id) + ":" + percent_encode(config_.client_secret)
            );
        }
    }
    LAB_CHECK(check_place(ask.url));
    LAB_TRY(const WebAnswer answer, fetch_(ctx, ask));
    const auto parsed = parse_json(answer.body, kAnswerLimits);
    const bool is_object = parsed && parsed->is_object();
    if (answer.status == 400 && is_object && text_of(*parsed, "error") == "invalid_grant") {
        return refuse_credential("oidc: the code is not good, or not any more");
    }
    if (answer.status != 200 || !is_object) {
        return nonsense("the token endpoint answered " + std::to_string(answer.status));
    }
    LAB_TRY(Json claims, verify(ctx, text_of(*parsed, "id_token"), nonce));
    LAB_CHECK(add_userinfo(ctx, text_of(*parsed, "access_token"), claims));
    return claims;
}

Status OidcProvider::add_userinfo(const Ctx& ctx, const std::string& access_token, Json& claims) {
    const bool is_whole = claims.contains("email") && claims.contains("email_verified") &&
                          (config_.role_map.empty() || claims.contains(config_.groups_claim));
    LAB_TRY(const Endpoints places, endpoints(ctx));
    if (is_whole || access_token.empty() || places.userinfo.empty()) {
        return ok();
    }
    LAB_TRY(
        const Json more,
        fetch_object(
            ctx,
            {.method = "GET", .url = places.userinfo, .authorization = "Bearer " + access_token}
        )
    );
    // Core 1.0 section 5.3.2: or the token of another would bring another's claims.
    if (text_of(more, "sub") != text_of(claims, "sub")) {
        return refuse_credential("oidc: userinfo of somebody else");
    }
    for (const auto& [name, value] : more.items()) {
        if (!claims.contains(name)) {
            claims[name] = value;
        }
    }
    return ok();
}

}  // namespace lab::service
