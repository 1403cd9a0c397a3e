#pragma once
#include "app/wire.h"
#include "platform/config/server_settings.h"
#include "platform/crypto/random.h"
#include "service/identity.h"
#include "storage/store/session_pool.h"

namespace lab::app {

/// The store and the identities of the service: what `serve` and `admin` both stand on.
class Platform {
  public:
    /// Opens and migrates the store, finds or makes the secrets of an embedded one.
    /// Errors: validation, io, unavailable.
    static Result<std::unique_ptr<Platform>> open(
        const Settings& settings, ServerSettings server, Observers observers = {}
    );
    ~Platform();

    const ServerSettings& settings() const;
    service::Deps& deps();
    Program& program();
    storage::Database& database();
    storage::SessionPool& sessions();
    service::Identity& identity();
    RandomSource& random();
    /// Another set of loops and workers on the same store, for a run.
    std::unique_ptr<Program> make_program() const;
    /// Signs cursors and addresses: derived from the secret of tokens, so the same in every
    /// process.
    const std::string& signing_key() const;

  private:
    Platform();
    struct Parts;
    std::unique_ptr<Parts> parts_;
};

/// Whether a URL that somebody gave may be called: https to a host the operator allows, or, outside
/// of production, a loopback address. Errors: validation.
Status check_outbound(const ServerSettings& settings, std::string_view url);

}  // namespace lab::app
