#pragma once
#include "storage/store/session.h"

#include <limits>
#include <optional>
#include <string>
#include <vector>

namespace lab::storage {

/// A file that belongs to a run; its bytes are an object of ObjectFolder.
struct Artifact {
    std::int64_t key = 0;  ///< the store's own number: the order in which they came
    std::string id;        ///< UUID
    std::string type;      ///< domain word, such as model_output
    std::string name;
    std::string path;          ///< where it would lie in a bucket
    std::string content_hash;  ///< SHA-256, 64 hexadecimal digits
    std::int64_t bytes = 0;
    std::string mime_type;
    std::string created_at;
};

struct ArtifactTotals {
    std::int64_t count = 0;
    std::int64_t bytes = 0;
};

/// Artifacts of runs. Borrows the session; same thread rule.
class Artifacts {
  public:
    explicit Artifacts(Session& session) : session_(session) {}
    /// Errors: conflict (an artifact of this id).
    Status create(const Ctx& ctx, std::int64_t run, const Artifact& artifact);
    /// The newest first, those with smaller keys than `below`.
    Result<std::vector<Artifact>> list(
        const Ctx& ctx,
        std::int64_t run,
        std::int64_t limit,
        std::int64_t offset,
        std::int64_t below = std::numeric_limits<std::int64_t>::max()
    );
    Result<ArtifactTotals> totals(const Ctx& ctx, std::int64_t run);
    Result<std::optional<Artifact>> find(const Ctx& ctx, std::int64_t run, std::string_view id);
    /// false: there was none.
    Result<bool> remove(const Ctx& ctx, std::int64_t run, std::string_view id);
    /// Until the transaction ends, nobody else who asks for it begins or ceases to need the object.
    Status hold_object(const Ctx& ctx, std::string_view content_hash);
    /// Whether an artifact, a version of a dataset or a run needs the object of this hash.
    Result<bool> is_needed(const Ctx& ctx, std::string_view content_hash);

  private:
    Session& session_;
};

}  // namespace lab::storage
