#include "service/oidc.h"

#include "base/percent.h"
#include "base/text.h"
#include "base/time_text.h"
#include "platform/crypto/base64url.h"
#include "platform/crypto/mac.h"
#include "platform/crypto/sha256.h"
#include "service/audit.h"
#include "service/impl/identity_impl.h"
#include "service/impl/oidc_provider.h"
#include "service/users.h"
#include "storage/store/orgs.h"
#include "storage/store/settings_table.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

using domain::Role;
using storage::User;

constexpr std::string_view kCookie = "llm_research_login";
constexpr std::chrono::minutes kLoginTime{10};
constexpr int kIdBits = 256;
constexpr std::size_t kReturnBytesMax = 4096;
constexpr std::size_t kGroupsMax = 1000;

std::string text_of(const Json& claims, const char* name) {
    const auto found = claims.find(name);
    return found != claims.end() && found->is_string() ? found->get<std::string>() : "";
}

/// Value of our cookie in a Cookie header (RFC 6265 section 4.2.1).
std::string_view cookie_of(std::string_view header) {
    while (!header.empty()) {
        const std::size_t end = header.find(';');
        const std::string_view one = trim_ascii(header.substr(0, end));
        if (one.starts_with(kCookie) && one.substr(kCookie.size()).starts_with('=')) {
            return one.substr(kCookie.size() + 1);
        }
        header = end == header.npos ? "" : header.substr(end + 1);
    }
    return "";
}

/// The claim of this name, or, where there is none, that at this path: "realm_access.roles".
Json claim_at(const Json& claims, std::string_view name) {
    const auto found = claims.find(name);
    if (found != claims.end()) {
        return *found;
    }
    const std::size_t dot = name.find('.');
    const auto outer = dot == name.npos ? claims.end() : claims.find(name.substr(0, dot));
    return outer != claims.end() && outer->is_object() ? claim_at(*outer, name.substr(dot + 1))
                                                       : Json();
}

/// What the provider says of somebody, as far as it matters here.
struct Person {
    std::string subject;
    std::string email;
    bool email_verified = false;
    std::string name;
    std::vector<std::string> groups;
};

Person person_of(const Json& claims, const std::string& groups_claim) {
    Person out;
    out.subject = text_of(claims, "sub");
    out.email = normal_email(text_of(claims, "email"));
    const Json verified = claims.value("email_verified", Json());
    // Some providers write it as text.
    out.email_verified = verified == Json(true) || verified == Json("true");
    out.name = shorten(trim(text_of(claims, "name")), 255);
    if (out.name.empty()) {
        out.name = out.email;
    }
    const Json groups = claim_at(claims, groups_claim);
    if (groups.is_string()) {
        out.groups.push_back(groups.get<std::string>());
    }
    for (std::size_t i = 0; groups.is_array() && i < std::min(groups.size(), kGroupsMax); ++i) {
        if (groups[i].is_string()) {
            out.groups.push_back(groups[i].get<std::string>());
        }
    }
    return out;
}

Error lets_nobody_in(const std::string& why) { return {Code::forbidden, why}; }

}  // namespace

struct OidcLogin::Impl {
    OidcConfig config;
    Identity& identity;
    const Clock& clock;
    RandomSource& random;
    const SigningKeys& signing;
    OidcProvider provider;

    Impl(
        OidcConfig config_,
        Identity& identity_,
        WebFetch fetch,
        const Clock& clock_,
        RandomSource& random_,
        const SigningKeys& signing_
    )
        : config(std::move(config_)),
          identity(identity_),
          clock(clock_),
          random(random_),
          signing(signing_),
          provider(config, std::move(fetch), clock) {}

    /// A login that a browser has begun, and the key that its values are made with.
    struct Login {
        std::string id;
        std::string key;
    };
    /// A value of one login that nobody can guess who has not the key: state, nonce, verifier. So
    /// nothing is kept on this side, and any process can finish what another began.
    static std::string derived(const std::string& key, std::string_view what, std::string_view id) {
        return base64url_encode(
            hmac_sha256(key, "oidc " + std::string(what) + " " + std::string(id))
        );
    }
    std::string set_cookie(std::string_view value, std::chrono::seconds life) const {
        return std::string(kCookie) + "=" + std::string(value) +
               "; Path=/; HttpOnly; SameSite=Lax; Max-Age=" + std::to_string(life.count()) +
               (config.redirect_url.starts_with("https://") ? "; Secure" : "");
    }
    std::optional<Login> read_cookie(std::string_view header) const;
    std::vector<Role> mapped_roles(const Person& person) const;
    Status check_person(const Person& person) const;
    Result<User> find_user(const Request& request, const Person& person);
    Result<User> make_user(const Request& request, const Person& person);
    Result<User> follow_groups(const Request& request, const Person& person, User user);
    Result<Json> admit(const Request& request, const OidcReturn& back, const Login& login);
};

OidcLogin::OidcLogin(
    OidcConfig config,
    Identity& identity,
    WebFetch fetch,
    const Clock& clock,
    RandomSource& random,
    const SigningKeys& signing
)
    : impl_(std::make_unique<Impl>(
          std::move(config), identity, std::move(fetch), clock, random, signing
      )) {}
OidcLogin::~OidcLogin() = default;

Result<OidcLogin::Begun> OidcLogin::begin(const Ctx& ctx) {
    Impl& p = *impl_;
    LAB_TRY(const OidcProvider::Endpoints places, p.provider.endpoints(ctx));
    const std::string id = random_base62(p.random, kIdBits);
    const std::string until = std::to_string(
        std::chrono::floor<std::chrono::seconds>((p.clock.wall() + kLoginTime).time_since_epoch())
            .count()
    );
    const std::string open = id + "." + until;
    const std::string key = p.signing.keys()->front();
    const auto derived = [&key](std::string_view what, std::string_view from) {
        return Impl::derived(key, what, from);
    };
    Begun out;
    out.cookie = p.set_cookie(open + "." + derived("cookie", open), kLoginTime);
    out.location = places.authorization;
    out.location += out.location.find('?') == std::string::npos ? '?' : '&';
    out.location += "response_type=code&client_id=" + percent_encode(p.config.client_id) +
                    "&redirect_uri=" + percent_encode(p.config.redirect_url) +
                    "&scope=" + percent_encode(p.config.scopes) + "&state=" + derived("state", id) +
                    "&nonce=" + derived("nonce", id) +
                    "&code_challenge=" + base64url_encode(sha256(derived("verifier", id))) +
                    "&code_challenge_method=S256";
    return out;
}

std::string OidcLogin::forget_cookie() const {
    return impl_->set_cookie("", std::chrono::seconds(0));
}

/// The login that this browser has begun, when it is not too long ago.
std::optional<OidcLogin::Impl::Login> OidcLogin::Impl::read_cookie(std::string_view header) const {
    const std::string_view value = cookie_of(header.substr(0, 2 * kReturnBytesMax));
    const std::size_t last = value.rfind('.');
    if (last == value.npos) {
        return std::nullopt;
    }
    const std::string_view open = value.substr(0, last);
    const std::size_t first = open.find('.');
    if (first == open.npos) {
        return std::nullopt;
    }
    const auto keys = signing.keys();
    const auto key = std::ranges::find_if(*keys, [&](const std::string& one) {
        return constant_time_equal(derived(one, "cookie", open), value.substr(last + 1));
    });
    if (key == keys->end()) {
        return std::nullopt;
    }
    std::int64_t until = 0;
    for (const char digit : open.substr(first + 1)) {
        until = until * 10 + (digit - '0');  // we wrote it
    }
    const bool in_time = clock.wall() < WallTime(std::chrono::seconds(until));
    return in_time ? std::optional(Login{std::string(open.substr(0, first)), *key}) : std::nullopt;
}

Result<Json> OidcLogin::finish(const Request& request, const OidcReturn& back) {
    const auto login = impl_->read_cookie(back.cookie);
    const bool is_ours =
        login && constant_time_equal(Impl::derived(login->key, "state", login->id), back.state);
    if (!is_ours) {
        return Error(
            Code::bad_request,
            "this login was not begun in this browser or took longer than ten minutes: begin "
            "again at /auth/oidc/login"
        );
    }
    auto tokens = impl_->admit(request, back, *login);
    if (tokens) {
        return tokens;
    }
    const Error& error = tokens.error();
    if (error.code == Code::unauthorized || error.code == Code::forbidden) {
        AuditEvent event = audit_event(
            request.caller, AuditType::authentication, AuditAction::login_failed, "user", ""
        );
        event.outcome =
            error.code == Code::forbidden ? AuditOutcome::denied : AuditOutcome::failure;
        event.reason = error.code == Code::forbidden ? error.message : "refused by its checks";
        event.details = AuditDetails(Json{{"method", "oidc"}});
        LAB_CHECK(write_audit(request, event));
    }
    return tokens;
}

Result<Json> OidcLogin::Impl::admit(
    const Request& request, const OidcReturn& back, const Login& login
) {
    LAB_TRY(const OidcProvider::Endpoints places, provider.endpoints(request.ctx));
    // RFC 9207: another provider's code must not be sent to this one.
    if (back.issuer.empty() ? places.names_itself : back.issuer != config.issuer) {
        return refuse_credential("oidc: the answer is another issuer's");
    }
    if (!back.error.empty() || back.code.empty() || back.code.size() > kReturnBytesMax) {
        return refuse_credential("oidc: the provider gave no code");
    }
    LAB_TRY(
        const Json claims,
        provider.redeem(
            request.ctx,
            back.code,
            derived(login.key, "verifier", login.id),
            derived(login.key, "nonce", login.id)
        )
    );
    const Person person = person_of(claims, config.groups_claim);
    LAB_CHECK(check_person(person));
    // What is done to the user from here on is the service's doing, in the tenant of the login.
    LAB_TRY(
        const storage::Org org,
        storage::Orgs(request.session)
            .ensure(request.ctx, config.org, identity.next_id(), identity.now_text())
    );
    Caller service = local_caller();
    service.org = org.key;
    service.ip = request.caller.ip;
    service.user_agent = request.caller.user_agent;
    service.request_id = request.caller.request_id;
    const Request inside{request.ctx, request.deps, request.session, service};
    LAB_TRY(User user, find_user(inside, person));
    LAB_TRY(user, follow_groups(inside, person, std::move(user)));
    return identity.open_login(request, user);
}

Status OidcLogin::Impl::check_person(const Person& person) const {
    const std::size_t at = person.email.rfind('@');
    if (at == std::string::npos || at == 0) {
        return lets_nobody_in("the identity provider tells no e-mail address");
    }
    if (config.require_verified_email && !person.email_verified) {
        return lets_nobody_in("the e-mail address is not verified");
    }
    const std::string domain = person.email.substr(at + 1);
    const auto& domains = config.allowed_domains;
    return domains.empty() || std::ranges::find(domains, domain) != domains.end()
               ? ok()
               : Status(lets_nobody_in("e-mail addresses of this domain are not let in"));
}

std::vector<Role> OidcLogin::Impl::mapped_roles(const Person& person) const {
    std::vector<Role> out;
    for (const auto& [group, role] : config.role_map) {
        const bool is_in = std::ranges::find(person.groups, group) != person.groups.end();
        if (is_in && std::ranges::find(out, role) == out.end()) {
            out.push_back(role);
        }
    }
    return out;
}

Result<User> OidcLogin::Impl::find_user(const Request& request, const Person& person) {
    storage::ServiceSettings links(request.session);
    storage::Users users(request.session);
    const Ctx& ctx = request.ctx;
    // Issuer and subject name one person for ever, whatever becomes of the e-mail address.
    const std::string link = "oidc:" + sha256_hex(config.issuer + "\n" + person.subject);
    LAB_TRY(const auto linked, links.find(ctx, link));
    if (linked) {
        LAB_TRY(auto user, users.find(ctx, request.caller.org, *linked));
        if (!user) {
            return refuse_credential("oidc: the user is of another tenant");
        }
        return *std::move(user);
    }
    LAB_TRY(auto known, users.find_by_email(ctx, person.email));
    User user;
    if (known) {
        user = *std::move(known);
        if (!person.email_verified || user.org != request.caller.org) {
            // An account that is there already is given to nobody who only claims its address.
            return refuse_credential("oidc: the address is somebody else's");
        }
    } else {
        LAB_TRY(user, make_user(request, person));
    }
    LAB_TRY(const std::string owner, links.put_if_absent(ctx, link, user.id, identity.now_text()));
    if (owner != user.id) {
        return Error(Code::conflict, "another login of the same person is under way: try again");
    }
    return user;
}

Result<User> OidcLogin::Impl::make_user(const Request& request, const Person& person) {
    std::vector<Role> roles = mapped_roles(person);
    if (roles.empty() && config.default_role) {
        roles.push_back(*config.default_role);
    }
    if (roles.empty()) {
        return lets_nobody_in("none of the groups has a role here");
    }
    LAB_TRY(
        const Shown made,
        create_user(
            request,
            identity,
            NewUser{.email = person.email, .name = person.name, .roles = std::move(roles)}
        )
    );
    LAB_TRY(auto user, storage::Users(request.session).find_by_email(request.ctx, person.email));
    if (!user) {
        return Error(Code::unavailable, "the new user vanished: try again");
    }
    return *std::move(user);
}

/// The provider says who is what, when it was told to; it does not lock the last administrator out.
Result<User> OidcLogin::Impl::follow_groups(
    const Request& request, const Person& person, User user
) {
    if (config.role_map.empty() || !user.is_active) {
        return user;
    }
    std::vector<Role> roles = mapped_roles(person);
    if (roles.empty() && config.default_role) {
        roles.push_back(*config.default_role);
    }
    if (roles.empty()) {
        return lets_nobody_in("none of the groups has a role here");
    }
    if (std::ranges::is_permutation(roles, user.roles)) {
        return user;
    }
    Json names = Json::array();
    for (const Role role : roles) {
        names.push_back(to_string(role));
    }
    const auto changed = update_user(request, identity, user.id, Json{{"roles", names}});
    if (!changed && changed.error().code != Code::conflict) {
        return changed.error();
    }
    LAB_TRY(auto now, storage::Users(request.session).find(request.ctx, user.org, user.id));
    return now ? *std::move(now) : std::move(user);
}

}  // namespace lab::service
