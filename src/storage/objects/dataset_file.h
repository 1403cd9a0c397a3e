#pragma once
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lab::storage {

/// The rows of a dataset version: canonical JSON, one a line, mapped read-only, with an index of
/// line starts beside it ("<path>.idx", 8 bytes a row and a footer; made again when missing, stale
/// or damaged). Memory does not grow with the file beyond the index: pages that were read are given
/// back to the system from time to time. Any thread.
class DatasetFile {
  public:
    /// Errors: io. The rows are not compared with the file's name: that is verify().
    static Result<DatasetFile> open(const std::string& path);
    DatasetFile(DatasetFile&&) noexcept;
    DatasetFile& operator=(DatasetFile&&) noexcept;
    ~DatasetFile();
    std::int64_t rows() const;
    /// Canonical JSON text of row `index` (0-based), without the newline. Valid as long as the
    /// object lives.
    std::string_view row(std::int64_t index) const;
    /// Reads everything and compares it with the hash the file is named by. Errors: io.
    Status verify() const;

  private:
    struct Impl;
    explicit DatasetFile(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::storage
