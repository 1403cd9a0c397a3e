#include "app/oidc.h"

#include "base/text.h"
#include "platform/http/curl_client.h"
#include "platform/process/event_loop.h"

#include <algorithm>
#include <semaphore>

namespace lab::app {
namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(5);
constexpr Duration kTotalTimeout = std::chrono::seconds(10);
/// Fewer than the threads that answer requests (serve.cpp).
constexpr int kCallsMax = 2;
constexpr std::size_t kAnswerBytesMax = 1U << 20;

/// Keeps one answer, and ends the loop that waits for it.
class Collect final : public http::ResponseSink {
  public:
    explicit Collect(EventLoop& loop) : loop_(loop) {}
    void on_head(int status, const http::Headers&) override { answer.status = status; }
    bool on_data(std::string_view bytes) override {
        answer.body += bytes;
        return true;
    }
    void on_end(const http::TransferEnd& how) override {
        end = how;
        loop_.stop();
    }
    service::WebAnswer answer;
    http::TransferEnd end;

  private:
    EventLoop& loop_;
};

/// Logins are rare, so each call has a loop and a connection of its own, on the thread that waits.
Result<service::WebAnswer> fetch(
    const Ctx& ctx, const service::WebRequest& wanted, const Clock& clock
) {
    LAB_CHECK(ctx.check());
    http::Request request;
    request.method = wanted.method;
    request.url = wanted.url;
    request.headers = {{"Accept", "application/json"}};
    if (!wanted.authorization.empty()) {
        request.headers.emplace_back("Authorization", wanted.authorization);
    }
    if (wanted.method == "POST") {
        request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
        request.body = wanted.form;
    }
    request.connect_timeout = kConnectTimeout;
    request.total_timeout = std::min(kTotalTimeout, ctx.remaining());
    request.body_bytes_max = kAnswerBytesMax;
    EventLoop loop(clock);
    const auto client =
        http::make_curl_client(loop, {.user_agent = "llm-research/" + std::string(version())});
    const auto sink = std::make_shared<Collect>(loop);
    client->start(std::move(request), sink);
    loop.run();
    if (sink->end.failure == http::TransferFailure::none) {
        return std::move(sink->answer);
    }
    const bool late = sink->end.failure == http::TransferFailure::timeout;
    Error error(
        late ? Code::upstream_timeout : Code::upstream_error,
        late ? "the identity provider did not answer in time"
             : "the identity provider cannot be used at the moment"
    );
    error.cause = "oidc: " + sink->end.message;
    return error;
}

/// The same, for so many at once: a provider that hangs must not take all threads with it.
class Gate {
  public:
    Result<service::WebAnswer> fetch(
        const Ctx& ctx, const service::WebRequest& wanted, const Clock& clock
    ) {
        if (!places_.try_acquire()) {
            return Error(
                Code::unavailable,
                "many logins wait for the identity provider: try again in a moment"
            );
        }
        auto answer = app::fetch(ctx, wanted, clock);
        places_.release();
        return answer;
    }

  private:
    std::counting_semaphore<kCallsMax> places_{kCallsMax};
};

Result<domain::Role> role_of(std::string_view key, std::string_view name) {
    const auto role = domain::role_from(name);
    if (!role || *role == domain::Role::service_account) {
        return Error(
            Code::validation,
            "the configuration is not right",
            {{std::string(key), "names a role that nobody can log in with"}}
        );
    }
    return *role;
}

}  // namespace

Result<std::unique_ptr<service::OidcLogin>> make_oidc(Platform& platform, const Clock& clock) {
    const OidcSettings& from = platform.settings().oidc;
    if (from.issuer.empty()) {
        return std::unique_ptr<service::OidcLogin>();
    }
    service::OidcConfig config{
        .issuer = from.issuer,
        .client_id = from.client_id,
        .client_secret = from.client_secret,
        .redirect_url = from.redirect_url,
        .scopes = from.scopes,
        .org = from.org,
        .groups_claim = from.groups_claim,
        .require_verified_email = from.require_verified_email,
        .plain_loopback = !platform.settings().strict(),
    };
    std::ranges::transform(from.hosts, std::back_inserter(config.hosts), to_lower);
    std::ranges::transform(
        from.allowed_domains, std::back_inserter(config.allowed_domains), to_lower
    );
    for (const std::string& pair : from.role_map) {
        const std::size_t equals = pair.rfind('=');
        LAB_TRY(const domain::Role role, role_of("OIDC_ROLE_MAP", pair.substr(equals + 1)));
        config.role_map.emplace_back(pair.substr(0, equals), role);
    }
    if (!from.default_role.empty()) {
        LAB_TRY(config.default_role, role_of("OIDC_DEFAULT_ROLE", from.default_role));
    }
    return std::make_unique<service::OidcLogin>(
        std::move(config),
        platform.identity(),
        [&clock, gate = std::make_shared<Gate>()](
            const Ctx& ctx, const service::WebRequest& request
        ) { return gate->fetch(ctx, request, clock); },
        clock,
        platform.random(),
        platform.signing()
    );
}

}  // namespace lab::app
