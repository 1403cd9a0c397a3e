#pragma once
#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>

/// "<path>.idx": where the rows of a file start, 8 bytes a row, little endian, and a footer of four
/// such numbers: a magic number, the size of the row file, the number of rows, and a checksum of
/// the starts. An index that does not fit its file is made again, never trusted.
namespace lab::storage {

constexpr std::size_t kRowIndexFooterBytes = 4 * sizeof(std::uint64_t);

/// Encodes an index row by row, appending to what the caller writes away.
class RowIndexEncoder {
  public:
    /// A row of `bytes` bytes, its newline included.
    void add(std::size_t bytes, std::string& out);
    void finish(std::string& out) const;
    std::int64_t rows() const { return static_cast<std::int64_t>(rows_); }
    std::int64_t bytes() const { return static_cast<std::int64_t>(offset_); }

  private:
    std::uint64_t offset_ = 0;
    std::uint64_t rows_ = 0;
    std::uint64_t checksum_ = 0;
};

/// Number `position` of an index: where that row starts.
std::uint64_t row_start(std::string_view index, std::uint64_t position);

/// Whether `index` (a whole .idx file) belongs to a row file of this size and is undamaged.
bool is_row_index_of(std::string_view index, std::uint64_t row_file_bytes);

}  // namespace lab::storage
