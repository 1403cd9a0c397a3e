#pragma once
#include "base/rng.h"
#include "platform/aws/credential_chain.h"

namespace lab::aws {

struct SecretsManagerOptions {
    std::string region = "us-east-1";  ///< of names; an ARN says its own
    std::string endpoint = {};         ///< of another server; empty: the region's
    int attempts_max = 4;
    Duration connect_timeout = std::chrono::seconds(2);
    Duration call_timeout = std::chrono::seconds(3);
    Duration backoff_first = std::chrono::milliseconds(200);
    Duration backoff_max = std::chrono::seconds(2);
};

/// A version of a secret. Never printed.
struct Secret {
    std::string text;  ///< or the bytes of one that is binary
    std::string version;
    std::optional<WallTime> made_at = {};
};

/// Reads secrets (GetSecretValue of "AWS Secrets Manager API Reference", version 2017-10-17). Any
/// thread; what is referred to outlives it.
class SecretsManager {
  public:
    SecretsManager(
        SecretsManagerOptions options,
        const Clock& clock,
        http::BlockingClient& http,
        CredentialChain& credentials,
        std::uint64_t seed
    );

    /// `id`: name or ARN; `stage`: "AWSCURRENT", "AWSPREVIOUS". Tries again what may pass: no
    /// answer, no answer in time, throttling, trouble of the server, credentials that just ended.
    /// Errors: not_found; forbidden when credentials or rights are refused; unavailable;
    /// upstream_error for what is no answer. No message holds a secret or its name.
    Result<Secret> get(const Ctx& ctx, const std::string& id, std::string_view stage);

  private:
    struct Failure {
        Error error;
        bool is_final = true;
    };
    /// A secret, or what is wrong; errors: those of credentials and `ctx`.
    Result<std::optional<Secret>> attempt(
        const Ctx& ctx, const std::string& id, std::string_view stage, Failure& failure
    );
    Failure read_failure(const http::Answer& answer, const Credentials& used);
    Duration backoff(int tried);

    const SecretsManagerOptions options_;
    const Clock& clock_;
    http::BlockingClient& http_;
    CredentialChain& credentials_;
    std::mutex mutex_;  ///< guards rng_
    Rng rng_;
};

}  // namespace lab::aws
