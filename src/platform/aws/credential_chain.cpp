#include "platform/aws/credential_chain.h"

#include "platform/aws/impl/sources.h"

#include <algorithm>

namespace lab::aws {
namespace {

/// Before they end; and of those that live shortly, a quarter of their life.
constexpr Duration kMargin = std::chrono::minutes(5);
/// How often files are read that say nothing of an end.
constexpr Duration kReread = std::chrono::minutes(1);
constexpr std::chrono::microseconds kLifeMax = std::chrono::hours(24 * 365);
/// After a failure, so that a service that is away is not asked by everybody all the time.
constexpr Duration kPause = std::chrono::seconds(2);

constexpr const char* kNone =
    "no credentials for AWS were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
    "AWS_PROFILE, AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, or "
    "AWS_CONTAINER_CREDENTIALS_FULL_URI";

bool same(const Credentials& a, const Credentials& b) {
    return a.access_key_id == b.access_key_id && a.secret_access_key == b.secret_access_key &&
           a.session_token == b.session_token;
}

/// What a header can carry.
bool is_usable(const Credentials& credentials) {
    const auto is_plain = [](const std::string& text) {
        return text.size() <= 16'384 &&
               std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
    };
    return is_plain(credentials.access_key_id) && is_plain(credentials.secret_access_key) &&
           is_plain(credentials.session_token);
}

}  // namespace

CredentialChain::CredentialChain(
    const Clock& clock, http::BlockingClient& http, ChainOptions options
)
    : clock_(clock),
      http_(http),
      direct_(clock, {.user_agent = "llm-research", .proxy = ""}, 2),
      options_(std::move(options)) {}

std::string CredentialChain::variable(const char* name) const {
    return options_.environment ? options_.environment(name).value_or("") : "";
}

Result<std::optional<Found>> CredentialChain::from_environment() const {
    if (!options_.given.access_key_id.empty()) {
        return std::optional(Found{.credentials = options_.given, .source = "settings"});
    }
    Found out{.credentials = {}, .source = "environment"};
    out.credentials.access_key_id = variable("AWS_ACCESS_KEY_ID");
    out.credentials.secret_access_key = variable("AWS_SECRET_ACCESS_KEY");
    out.credentials.session_token = variable("AWS_SESSION_TOKEN");
    if (out.credentials.access_key_id.empty()) {
        return std::optional<Found>();
    }
    if (out.credentials.secret_access_key.empty()) {
        return no_credentials("AWS_SECRET_ACCESS_KEY is missing, but AWS_ACCESS_KEY_ID is set");
    }
    return std::optional(std::move(out));
}

Result<Found> CredentialChain::fetch(const Ctx& ctx) {
    LAB_TRY(auto given, from_environment());
    if (given) {
        return *std::move(given);
    }
    const std::string profile = variable("AWS_PROFILE");
    std::string file = variable("AWS_SHARED_CREDENTIALS_FILE");
    const bool is_named = !profile.empty() || !file.empty();
    if (file.empty() && !options_.home_folder.empty()) {
        file = options_.home_folder + "/.aws/credentials";
    }
    const auto read = [&](const std::string& name) -> Result<std::optional<Found>> {
        LAB_TRY(const std::string text, read_small_file(file, "AWS_SHARED_CREDENTIALS_FILE"));
        LAB_TRY(auto found, read_profile(text, name));
        return found ? std::optional(Found{.credentials = *found, .source = "profile " + name})
                     : std::optional<Found>();
    };
    if (!profile.empty()) {
        LAB_TRY(auto found, read(profile));
        return found ? Result<Found>(*std::move(found))
                     : no_credentials("AWS_PROFILE names a profile that is not in the file");
    }
    if (const std::string token = variable("AWS_WEB_IDENTITY_TOKEN_FILE"); !token.empty()) {
        WebIdentity identity{.token_file = token, .role_arn = variable("AWS_ROLE_ARN")};
        if (identity.role_arn.empty()) {
            return no_credentials("AWS_ROLE_ARN is missing, but AWS_WEB_IDENTITY_TOKEN_FILE is set"
            );
        }
        identity.session_name = variable("AWS_ROLE_SESSION_NAME");
        if (identity.session_name.empty()) {
            identity.session_name = "llm-research";
        }
        identity.endpoint = variable("AWS_ENDPOINT_URL_STS");
        if (identity.endpoint.empty()) {
            identity.endpoint = sts_endpoint(options_.region);
        }
        return assume_role(ctx, http_, identity);
    }
    if (!file.empty()) {
        auto usual = read("default");
        if (!usual && is_named) {
            return usual.error();
        }
        if (auto found = usual ? *std::move(usual) : std::nullopt) {
            return *std::move(found);
        }
    }
    ContainerRole role{.url = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI")};
    role.token = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN");
    role.token_file = variable("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
    if (const std::string path = variable("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
        path.starts_with('/')) {
        role.url = "http://169.254.170.2" + path;
    }
    return role.url.empty() ? Result<Found>(no_credentials(kNone))
                            : ask_container(ctx, direct_, role);
}

/// With `mutex_` held: those that have not ended.
std::optional<Credentials> CredentialChain::that_hold() const {
    return clock_.now() < kept_.ends_at ? kept_.credentials : std::nullopt;
}

/// What can be said without asking anybody; nullopt: somebody has to be asked.
std::optional<Result<Credentials>> CredentialChain::at_hand() const {
    const std::scoped_lock lock(mutex_);
    if (clock_.now() >= kept_.refresh_at) {
        return std::nullopt;
    }
    if (auto held = that_hold()) {
        return Result<Credentials>(*std::move(held));
    }
    const std::optional<Error>& problem = kept_.problem;
    return problem ? std::optional(Result<Credentials>(*problem)) : std::nullopt;
}

/// By who holds `refreshing_`.
Result<Credentials> CredentialChain::refresh(const Ctx& ctx) {
    auto found = fetch(ctx.within(options_.refresh_timeout));
    if (found && !is_usable(found->credentials)) {
        found = no_credentials("the credentials of " + found->source + " are no header text");
    }
    const std::scoped_lock lock(mutex_);
    const TimePoint now = clock_.now();
    if (!found) {
        auto held = that_hold();
        if (!held) {
            LAB_CHECK(ctx.check());
        }
        Error problem = found.error().code == Code::timed_out
                            ? no_credentials("no credentials for AWS came in time")
                            : found.error();
        kept_.refresh_at = now + kPause;
        kept_.problem = problem;
        return held ? Result<Credentials>(*std::move(held)) : std::move(problem);
    }
    kept_.credentials = found->credentials;
    kept_.source = found->source;
    kept_.problem.reset();
    if (const auto end = found->expires_at) {
        // The one place where the wall clock counts: from here on they end by the other one.
        const Duration life = std::clamp<std::chrono::microseconds>(
            *end - clock_.wall(), std::chrono::microseconds(0), kLifeMax
        );
        kept_.ends_at = now + life;
        kept_.refresh_at = kept_.ends_at - std::min(kMargin, life / 4);
    } else {
        kept_.ends_at = TimePoint::max();
        kept_.refresh_at = now + kReread;
    }
    return found->credentials;
}

Result<Credentials> CredentialChain::get(const Ctx& ctx) {
    if (auto known = at_hand()) {
        return *std::move(known);
    }
    std::unique_lock turn(refreshing_, std::defer_lock);
    if (!turn.try_lock()) {
        {
            const std::scoped_lock lock(mutex_);
            if (auto held = that_hold()) {
                return *std::move(held);
            }
        }
        LAB_CHECK(ctx.check());
        if (!turn.try_lock_for(std::min(ctx.remaining(), options_.refresh_timeout))) {
            LAB_CHECK(ctx.check());
            return no_credentials("no credentials for AWS came in time");
        }
        if (auto known = at_hand()) {
            return *std::move(known);
        }
    }
    return refresh(ctx);
}

void CredentialChain::forget(const Credentials& credentials) {
    const std::scoped_lock lock(mutex_);
    if (const auto& kept = kept_.credentials; kept && same(*kept, credentials)) {
        kept_.credentials.reset();
        kept_.refresh_at = TimePoint::min();
    }
}

std::string CredentialChain::source() const {
    const std::scoped_lock lock(mutex_);
    return kept_.source;
}

}  // namespace lab::aws
