#pragma once
#include "domain/run.h"
#include "storage/store/session.h"

#include <vector>

namespace lab::storage {

/// Datasets and their immutable versions; the rows themselves are objects.
class Datasets {
  public:
    explicit Datasets(Session& session) : session_(session) {}
    /// Adds a version, or gives the existing one with the same name and content hash.
    Result<domain::DatasetVersion> add_version(const Ctx& ctx, domain::DatasetVersion version);
    /// "name" (latest), "name@3", or a content hash (or its prefix of at least 8 digits).
    /// Errors: not_found with the nearest name.
    Result<domain::DatasetVersion> get(const Ctx& ctx, std::string_view ref);
    Result<std::vector<domain::DatasetVersion>> list(const Ctx& ctx);

  private:
    Session& session_;
};

}  // namespace lab::storage
