#pragma once
#include "storage/store/session.h"

#include <optional>
#include <string>

namespace lab::storage {

/// A tenant: nobody in it sees anything of another.
struct Org {
    std::int64_t key = 0;
    std::string id;  ///< UUID
    std::string name;
};

/// Borrows the session; same thread rule.
class Orgs {
  public:
    explicit Orgs(Session& session) : session_(session) {}
    Result<std::optional<Org>> find_by_name(const Ctx& ctx, std::string_view name);
    /// The one of this name, made with this id when there is none: of several who do it at once all
    /// get the same.
    Result<Org> ensure(
        const Ctx& ctx, std::string_view name, std::string_view id, std::string_view at
    );

  private:
    Session& session_;
};

}  // namespace lab::storage
