#include "base/text.h"
#include "fuzz/fuzz.h"
#include "service/identity.h"
#include "storage/store/sqlite.h"
#include "storage/store/tokens.h"
#include "support/manual_clock.h"

namespace {
using namespace lab;
using fuzz::require;
using Kind = service::Caller::Kind;

class CountingRandom final : public RandomSource {
  public:
    void fill(std::span<unsigned char> bytes) override {
        for (unsigned char& byte : bytes) {
            byte = static_cast<unsigned char>(++count_ * 37);
        }
    }

  private:
    unsigned count_ = 0;
};

const std::string kAdminKey = "the operator's key of this target";
const std::string kSecret(40, 's');
constexpr std::string_view kTime = "2023-11-14T22:13:20Z";

/// A store with one user, who has logged in and has a key.
class World {
  public:
    World() {
        storage::User user;
        user.id = "00000000-0000-7000-8000-000000000001";
        user.email = "u@example.org";
        user.name = "U";
        user.roles = {domain::Role::researcher};
        user.created_at = user.updated_at = kTime;
        require(database_->migrate(ctx_).has_value(), "the store can be made");
        session_ = *database_->open_session(ctx_);
        require(storage::Users(*session_).create(ctx_, user).has_value(), "there is a user");
        user = **storage::Users(*session_).find(ctx_, 1, user.id);
        identity_ = *service::Identity::create(
            {.jwt = jwt_,
             .hasher = *PasswordHasher::create({.passes = 1, .memory_bytes = 8U << 10}),
             .pepper = std::string(40, 'p'),
             .admin_key = kAdminKey},
            clock_,
            random_,
            uuids_
        );
        const service::NewKey made = identity_->make_key();
        key = made.text;
        storage::ApiKey row;
        row.id = "00000000-0000-7000-8000-000000000002";
        row.owner_id = user.id;
        row.name = "k";
        row.key_prefix = made.prefix;
        row.key_hash = made.hash;
        row.scopes = {"experiments:read"};
        row.roles = user.roles;
        row.created_at = kTime;
        require(storage::ApiKeys(*session_).create(ctx_, row).has_value(), "there is a key");
        storage::LoginSession login;
        login.family = "f";
        login.user_id = user.id;
        login.expires_at = "2040-01-01T00:00:00Z";
        login.created_at = kTime;
        require(storage::LoginSessions(*session_).create(ctx_, login).has_value(), "a login");
        token = *jwt_.sign(
            {.subject = user.id,
             .email = user.email,
             .roles = {"Researcher"},
             .jti = "j",
             .family = "f",
             .org = user.org_id,
             .issued_at = clock_.wall(),
             .expires_at = clock_.wall() + std::chrono::hours(24 * 365 * 10)}
        );
    }

    Result<service::Caller> authenticate(const service::Presented& presented) {
        return identity_->authenticate(ctx_, *session_, presented);
    }
    auto recognize(const service::Presented& presented) { return identity_->recognize(presented); }
    /// What was found good is to be looked up again.
    void forget() { clock_.advance(std::chrono::seconds(2)); }

    std::string key;
    std::string token;

  private:
    test::ManualClock clock_;
    Ctx ctx_{clock_};
    CountingRandom random_;
    RandomUuids uuids_;
    Jwt jwt_ = *Jwt::create({.secret = kSecret, .issuer = "i", .audience = "a"}, clock_);
    std::unique_ptr<storage::Database> database_ =
        *storage::open_sqlite(ctx_, {.path = ":memory:"});
    std::unique_ptr<storage::Session> session_;
    std::unique_ptr<service::Identity> identity_;
};

/// Bytes 1, 2 and 3 stand for the token, the API key and the operator's key.
std::string expand(const World& world, std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == 1) {
            out += world.token;
        } else if (c == 2) {
            out += world.key;
        } else if (c == 3) {
            out += kAdminKey;
        } else {
            out += c;
        }
    }
    return out;
}

/// Whom this makes somebody; nullopt: nobody, and it is refused. Written down a second time, on
/// purpose.
std::optional<Kind> expected(const World& world, const service::Presented& presented) {
    if (presented.admin_key) {
        return presented.is_admin_route && presented.admin_key == kAdminKey
                   ? std::optional(Kind::admin_key)
                   : std::nullopt;
    }
    if (presented.api_key) {
        return trim_ascii(*presented.api_key) == world.key ? std::optional(Kind::api_key)
                                                           : std::nullopt;
    }
    if (!presented.authorization) {
        return Kind::anonymous;
    }
    const std::string_view header = trim_ascii(*presented.authorization);
    const auto fits = [&](std::string_view scheme, std::string_view credential) {
        return header.size() > scheme.size() + credential.size() &&
               to_lower(header.substr(0, scheme.size())) == scheme &&
               header[scheme.size()] == ' ' &&
               trim_ascii(header.substr(scheme.size())) == credential;
    };
    return fits("bearer", world.token) ? std::optional(Kind::user)
           : fits("apikey", world.key) ? std::optional(Kind::api_key)
                                       : std::nullopt;
}

void check_refusal(const Error& error, std::string_view text, int credentials) {
    if (credentials > 1) {
        require(error.code == Code::bad_request, "several credentials are a mistake");
        return;
    }
    require(error.code == Code::unauthorized, "a wrong credential is refused");
    require(error.message == "the credential is not valid", "refusals are all the same");
    // Longer than any cause there is: what is found in one was put there.
    const bool is_told = text.size() >= 48 && std::string_view(error.cause).contains(text);
    require(!is_told, "a refusal does not repeat the credential");
}
}  // namespace

// Authorization, X-API-Key and X-Admin-Key: exactly who holds a credential is let in, by the store
// and by what is remembered of it. The first byte chooses the headers (1, 2, 4), an admin route (8)
// and whether the last two bytes change one of the text (16).
FUZZ_TARGET(credentials) {
    static World& world = *new World;
    std::string_view rest = input;
    const unsigned choice = fuzz::take_choice(rest);
    std::string text;
    if ((choice & 16U) != 0 && rest.size() > 2) {
        text = expand(world, rest.substr(0, rest.size() - 2));
        const auto place = static_cast<unsigned char>(rest[rest.size() - 2]);
        text[place * text.size() / 256] = rest.back();
    } else {
        text = expand(world, rest);
    }
    service::Presented presented{.ip = "192.0.2.1"};
    presented.is_admin_route = (choice & 8U) != 0;
    int credentials = 0;
    for (const auto& [bit, header] :
         {std::pair(1U, &presented.authorization),
          std::pair(2U, &presented.api_key),
          std::pair(4U, &presented.admin_key)}) {
        if ((choice & bit) != 0) {
            *header = text;
            ++credentials;
        }
    }
    const auto who = credentials > 1 ? std::nullopt : expected(world, presented);
    for (int i = 0; i < 2; ++i) {
        const auto caller = world.authenticate(presented);
        require(caller.has_value() == who.has_value(), "a credential lets in who holds it");
        if (!caller) {
            check_refusal(caller.error(), text, credentials);
            continue;
        }
        require(caller->kind == who, "a credential is of one kind");
        require(caller->ip == presented.ip, "who asks comes from somewhere");
        require(caller->kind != Kind::anonymous || caller->granted.none(), "nobody may nothing");
        const auto known = world.recognize(presented);
        require(known && *known && (*known)->kind == who, "what was good is remembered");
        require((*known)->user_id == caller->user_id, "and of whom");
        require((*known)->granted == caller->granted, "and for what");
    }
    world.forget();
    const auto later = world.recognize(presented);
    const bool is_asked_again = who == Kind::user || who == Kind::api_key;
    require(!is_asked_again || (later && !*later), "what was good is asked for again");
}
