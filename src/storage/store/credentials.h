#pragma once
#include "storage/store/session.h"

#include <optional>
#include <string>
#include <vector>

namespace lab::storage {

/// A key of a model server as the operator names it: where it lies and where it may be sent. The
/// key itself is never stored.
struct Credential {
    std::int64_t org = 1;                    ///< tenant
    std::string name;                        ///< unique within it; [a-z0-9-]
    std::string provider;                    ///< of the API; empty = any
    std::string secret_ref;                  ///< env:NAME, file:/path
    std::vector<std::string> allowed_hosts;  ///< host, host:port, *.suffix
    std::int64_t revision = 1;
    std::string created_by;
    std::string created_at;
    std::string updated_at;
};

/// Borrows the session; same thread rule.
class Credentials {
  public:
    static constexpr std::int64_t kCountMax = 1000;

    explicit Credentials(Session& session) : session_(session) {}
    /// Errors: conflict when there is one of this name.
    Status create(const Ctx& ctx, const Credential& credential);
    Result<std::optional<Credential>> find(const Ctx& ctx, std::int64_t org, std::string_view name);
    /// By name; at most kCountMax.
    Result<std::vector<Credential>> list(const Ctx& ctx, std::int64_t org);
    /// Writes all of it over revision `credential.revision`. false: that is not there any more.
    Result<bool> update(const Ctx& ctx, const Credential& credential);
    /// false: this revision of it is not there.
    Result<bool> remove(
        const Ctx& ctx, std::int64_t org, std::string_view name, std::int64_t revision
    );

  private:
    Session& session_;
};

}  // namespace lab::storage
