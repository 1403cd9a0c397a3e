#pragma once
#include "storage/store/row_count.h"
#include "storage/store/session.h"

#include <optional>
#include <string>
#include <vector>

namespace lab::storage {

/// What a prompt said once. Never changes.
struct PromptVersion {
    std::string id;           ///< UUID
    std::int64_t number = 0;  ///< 1.. per prompt
    std::string body = "{}";  ///< JSON object: template, system_prompt, variables, changelog ...
    std::string created_at;
};

/// The versions of prompts, which are found by the key of their prompt (Resource::key): who may see
/// that is settled before. Borrows the session; same thread rule.
class PromptVersions {
  public:
    explicit PromptVersions(Session& session) : session_(session) {}
    /// false: there is one of this id already. Errors: conflict (the number is taken).
    Result<bool> add(const Ctx& ctx, std::int64_t prompt, const PromptVersion& version);
    Result<std::optional<PromptVersion>> find(
        const Ctx& ctx, std::int64_t prompt, std::string_view id
    );
    Result<std::optional<PromptVersion>> find_number(
        const Ctx& ctx, std::int64_t prompt, std::int64_t number
    );
    /// Newest first; `before`: those with a smaller number.
    Result<std::vector<PromptVersion>> list(
        const Ctx& ctx,
        std::int64_t prompt,
        std::optional<std::int64_t> before,
        std::int64_t limit,
        std::int64_t offset
    );
    Result<RowCount> count(const Ctx& ctx, std::int64_t prompt);

  private:
    Session& session_;
};

}  // namespace lab::storage
