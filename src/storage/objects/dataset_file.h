#pragma once
#include "base/result.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lab::storage {

/// The rows of a dataset version: canonical JSON, one a line, mapped read-only, with an index of
/// line starts beside it ("<path>.idx", 8 bytes a row, little endian; rebuilt when missing or
/// stale). Memory does not grow with the file beyond the index. Any thread.
class DatasetFile {
  public:
    static Result<DatasetFile> open(const std::string& path);
    DatasetFile(DatasetFile&&) noexcept;
    DatasetFile& operator=(DatasetFile&&) noexcept;
    ~DatasetFile();
    std::int64_t rows() const;
    /// Canonical JSON text of row `index` (0-based), without the newline.
    std::string_view row(std::int64_t index) const;

  private:
    struct Impl;
    explicit DatasetFile(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::storage
