#pragma once
#include "storage/objects/folder.h"

#include <cstdint>

namespace lab::storage {

/// What an import made.
struct ImportedRows {
    std::string hash;  ///< SHA-256 over the rows, each followed by a newline; hexadecimal
    std::int64_t rows = 0;
    std::int64_t bytes = 0;
    std::string path;  ///< of the object, for DatasetFile::open
};

/// Streams canonical rows into an object and its index; memory stays flat. Nothing remains unless
/// it is committed. One thread.
class DatasetWriter {
  public:
    /// Errors: io.
    static Result<DatasetWriter> create(const ObjectFolder& folder);
    DatasetWriter(DatasetWriter&&) noexcept;
    DatasetWriter& operator=(DatasetWriter&&) = delete;
    ~DatasetWriter();
    /// One row of canonical JSON, without the newline. Errors: validation when the text is empty or
    /// holds a newline; io.
    Status add(std::string_view row);
    /// The same rows give the same object. Errors: io. The writer is used up.
    Result<ImportedRows> commit();
    std::int64_t rows() const;

  private:
    struct Impl;
    explicit DatasetWriter(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};

}  // namespace lab::storage
