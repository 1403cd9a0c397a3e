#pragma once
#include "app/outbound.h"
#include "app/secrets.h"
#include "app/wire.h"
#include "platform/config/server_settings.h"
#include "platform/crypto/random.h"
#include "platform/crypto/signing_keys.h"
#include "service/identity.h"
#include "service/run_queue.h"
#include "storage/store/session_pool.h"

namespace lab::app {

/// The store and the identities of the service: what `serve` and `admin` both stand on.
class Platform {
  public:
    /// Opens and migrates the store, finds or makes the secrets of an embedded one.
    /// Errors: validation, io, unavailable.
    /// `environment`: of the process, where credentials may point.
    static Result<std::unique_ptr<Platform>> open(
        const Settings& settings,
        Configuration configuration,
        const EnvLookup& environment,
        Observers observers = {},
        Ways ways = Ways::guarded
    );
    ~Platform();

    const ServerSettings& settings() const;
    service::Deps& deps();
    Program& program();
    storage::Database& database();
    storage::SessionPool& sessions();
    /// Of the database that lists may be read from; nullptr: the same as everything.
    storage::SessionPool* copies();
    /// As many sessions as these settings allow, from now on.
    void resize_sessions(const DatabaseSettings& settings);
    service::Identity& identity();
    /// Where objects are kept for all replicas; nullptr: only in the home.
    storage::ObjectStore* object_store();
    Secrets& secrets();
    /// Uses what was rotated, where it can change while the program runs: secrets of tokens and API
    /// keys, the admin key. Whether anything changed. Errors: validation, and what was used goes
    /// on.
    Result<bool> take_secrets();
    RandomSource& random();
    /// A loop, workers and an HTTP client of its own on the same store, for a run.
    Result<std::unique_ptr<service::RunnerParts>> make_runner() const;
    /// Of cursors, addresses and logins under way: made of the secret of tokens, and rotated with
    /// it.
    const SigningKeys& signing() const;

  private:
    Platform();
    std::unique_ptr<Program> make_program() const;
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

}  // namespace lab::app
