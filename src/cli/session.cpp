#include "cli/session.h"

#include "base/clock.h"

#include <filesystem>

namespace lab::cli {
namespace {

/// An access token that ends so soon is renewed first.
constexpr std::int64_t kRenewBefore = 30;

/// The stored credential of this invocation, renewed when its time has come.
class Login {
  public:
    Login(CredentialStore store, Transport& transport, Credential credential)
        : store_(std::move(store)), transport_(transport), now_(std::move(credential)) {}

    Result<http::Headers> headers() {
        if (!now_.api_key.empty()) {
            return http::Headers{{"X-API-Key", now_.api_key}};
        }
        if (now_.expires_at - kRenewBefore < unix_now()) {
            LAB_TRY(const bool renewed, renew());
            (void)renewed;
        }
        return http::Headers{{"Authorization", "Bearer " + now_.access_token}};
    }

    /// Under the lock, so that no refresh token is used twice: who waited takes what the other got.
    Result<bool> renew() {
        if (now_.refresh_token.empty()) {
            return false;
        }
        LAB_TRY(const auto held, store_.lock());
        LAB_TRY(const auto stored, store_.find(now_.server, now_.profile));
        if (stored && stored->access_token != now_.access_token &&
            stored->expires_at - kRenewBefore > unix_now()) {
            now_ = *stored;
            return true;
        }
        if (stored) {
            now_ = *stored;
        }
        const ApiResponse answer = transport_.send({
            .method = "POST",
            .path = "/auth/refresh",
            .headers = {{"Content-Type", "application/json"}},
            .body = dump_json(Json{{"refresh_token", now_.refresh_token}}),
        });
        if (answer.status != 200) {
            return false;  // what is asked next is refused, and says how to log in
        }
        LAB_TRY(const Json tokens, parse_json(answer.body));
        take_tokens(tokens, unix_now(), now_);
        LAB_CHECK(store_.save(now_));
        return true;
    }

  private:
    CredentialStore store_;
    Transport& transport_;
    Credential now_;
};

}  // namespace

std::int64_t unix_now() {
    return std::chrono::duration_cast<std::chrono::seconds>(SystemClock().wall().time_since_epoch())
        .count();
}

void take_tokens(const Json& tokens, std::int64_t now, Credential& credential) {
    credential.access_token = tokens.value("access_token", "");
    credential.refresh_token = tokens.value("refresh_token", credential.refresh_token);
    credential.expires_at = now + tokens.value("expires_in", std::int64_t{0});
}

Result<CredentialStore> credential_store(const Invocation& in) {
    if (in.settings.config_file.empty()) {
        return Error(
            Code::validation, "there is no place for credentials: set HOME or XDG_CONFIG_HOME"
        );
    }
    const auto folder = std::filesystem::path(in.settings.config_file).parent_path();
    return CredentialStore(
        (folder / "credentials.json").string(), in.deps.keyring ? in.deps.keyring() : nullptr
    );
}

Result<ApiClientOptions> client_options(const Invocation& in, Transport& transport) {
    ApiClientOptions options;
    options.retries_max = static_cast<int>(in.settings.max_retries);
    options.timeout = std::chrono::seconds(in.settings.timeout_secs);
    if (in.console.verbose) {
        options.trace = [&in](const std::string& line) { note(in.console, line); };
    }
    if (transport.is_local()) {
        return options;
    }
    if (!in.settings.profile.empty()) {
        options.login_option = " -p " + in.settings.profile;
    }
    if (!in.api_key.empty()) {
        options.credential = [key = in.api_key]() -> Result<http::Headers> {
            return http::Headers{{"X-API-Key", key}};
        };
        return options;
    }
    if (in.settings.config_file.empty()) {
        return options;
    }
    LAB_TRY(CredentialStore store, credential_store(in));
    LAB_TRY(const auto found, store.find(transport.url(), in.settings.profile));
    if (found) {
        const auto login = std::make_shared<Login>(std::move(store), transport, *found);
        options.credential = [login] { return login->headers(); };
        options.renew = [login] { return login->renew(); };
    }
    return options;
}

}  // namespace lab::cli
