#pragma once
#include "storage/store/session.h"

#include <optional>
#include <string>

namespace lab::storage {

/// What the whole service agrees on, whichever process asks: names and texts. Of no tenant.
/// Borrows the session; same thread rule.
class ServiceSettings {
  public:
    explicit ServiceSettings(Session& session) : session_(session) {}
    Result<std::optional<std::string>> find(const Ctx& ctx, std::string_view name);
    Status put(const Ctx& ctx, std::string_view name, std::string_view value, std::string_view at);
    /// The value that is there, or else this one, which is there from now on: of several processes
    /// that do it at once all get the same.
    Result<std::string> put_if_absent(
        const Ctx& ctx, std::string_view name, std::string_view value, std::string_view at
    );
    /// Removes it if it has this value still. false: it has not.
    Result<bool> remove_if(const Ctx& ctx, std::string_view name, std::string_view value);

  private:
    Session& session_;
};

}  // namespace lab::storage
