#pragma once
#include "platform/aws/sigv4.h"
#include "platform/http/blocking.h"

#include <optional>

namespace lab::aws {

/// A variable of the environment, nullopt when it is not set.
using Environment = std::function<std::optional<std::string>(const std::string& name)>;

/// What a source gave.
struct Found {
    Credentials credentials;
    std::optional<WallTime> expires_at = {};  ///< none: they hold until the source says otherwise
    std::string source;                       ///< in words, such as "web identity"
};

struct ChainOptions {
    Credentials given = {};  ///< win over everything else
    std::string region = "us-east-1";
    Environment environment;
    /// Where AWS_SHARED_CREDENTIALS_FILE is looked for when it is not set; empty: nowhere.
    std::string home_folder = {};
    Duration refresh_timeout = std::chrono::seconds(10);
};

/// Where credentials come from, in the order of Amazon's own clients:
///
///  1. those that are given; AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN;
///  2. AWS_PROFILE: that profile of AWS_SHARED_CREDENTIALS_FILE (~/.aws/credentials);
///  3. AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN (a role of a Kubernetes service account):
///     AssumeRoleWithWebIdentity at AWS_ENDPOINT_URL_STS, or STS of the region;
///  4. the profile "default", when the file has one;
///  5. AWS_CONTAINER_CREDENTIALS_FULL_URI or _RELATIVE_URI, with AWS_CONTAINER_AUTHORIZATION_TOKEN
///     or _TOKEN_FILE (pod identity): over TLS, or from this machine and the two addresses that
///     Amazon uses; never through a proxy.
///
/// Kept, and fetched again before they end; while that fails, those that still hold are used. Files
/// are read again after a minute. Any thread; one fetches, others go on with what there is.
class CredentialChain {
  public:
    /// `http`: for STS. `clock` and `http` outlive it.
    CredentialChain(const Clock& clock, http::BlockingClient& http, ChainOptions options);
    CredentialChain(const CredentialChain&) = delete;
    CredentialChain& operator=(const CredentialChain&) = delete;

    /// Errors: unavailable, in words without a secret, when no source has any; those of `ctx`.
    Result<Credentials> get(const Ctx& ctx);
    /// A service said that these have expired: they are not given out again.
    void forget(const Credentials& credentials);
    /// Which source the present ones are from; empty before there were any.
    std::string source() const;

  private:
    struct Kept {
        std::optional<Credentials> credentials;
        std::string source;
        TimePoint refresh_at = TimePoint::min();
        TimePoint ends_at = TimePoint::max();
        std::optional<Error> problem;  ///< of the last attempt, until refresh_at
    };
    Result<Found> fetch(const Ctx& ctx);
    Result<std::optional<Found>> from_environment() const;
    Result<Credentials> refresh(const Ctx& ctx);
    std::optional<Result<Credentials>> at_hand() const;
    std::optional<Credentials> that_hold() const;
    std::string variable(const char* name) const;

    const Clock& clock_;
    http::BlockingClient& http_;
    http::BlockingClient direct_;  ///< past every proxy
    const ChainOptions options_;
    mutable std::mutex mutex_;     ///< guards kept_
    std::timed_mutex refreshing_;  ///< held by who fetches
    Kept kept_;
};

}  // namespace lab::aws
