#include "storage/objects/impl/row_index.h"

#include "base/hash.h"

#include <bit>
#include <cstring>

namespace lab::storage {
namespace {

constexpr std::uint64_t kMagic = 0x3178646962616c00;  // "\0labidx1", read as a little-endian number

void append_u64(std::string& out, std::uint64_t value) {
    for (int i = 0; i < 8; ++i) {
        out += static_cast<char>(value & 0xff);
        value >>= 8;
    }
}

/// Guards against damage, not against malice: the object's hash is for that.
std::uint64_t extend(std::uint64_t checksum, std::uint64_t start) {
    return mix64(checksum ^ start);
}

}  // namespace

std::uint64_t row_start(std::string_view index, std::uint64_t position) {
    LAB_ASSERT(position < index.size() / 8, "an index is read inside its bounds");
    std::uint64_t value = 0;
    std::memcpy(&value, index.data() + position * 8, sizeof value);
    return std::endian::native == std::endian::little ? value : std::byteswap(value);
}

void RowIndexEncoder::add(std::size_t bytes, std::string& out) {
    append_u64(out, offset_);
    checksum_ = extend(checksum_, offset_);
    offset_ += bytes;
    ++rows_;
}

void RowIndexEncoder::finish(std::string& out) const {
    append_u64(out, kMagic);
    append_u64(out, offset_);
    append_u64(out, rows_);
    append_u64(out, checksum_);
}

bool is_row_index_of(std::string_view index, std::uint64_t row_file_bytes) {
    if (index.size() < kRowIndexFooterBytes || index.size() % 8 != 0) {
        return false;
    }
    const std::uint64_t rows = (index.size() - kRowIndexFooterBytes) / 8;
    if (row_start(index, rows) != kMagic || row_start(index, rows + 1) != row_file_bytes ||
        row_start(index, rows + 2) != rows || (rows == 0) != (row_file_bytes == 0)) {
        return false;
    }
    // The checksum says that these are the starts that were written; the bounds are looked at
    // nevertheless, because rows are read by them.
    std::uint64_t checksum = 0;
    std::uint64_t last = 0;
    for (std::uint64_t i = 0; i < rows; ++i) {
        const std::uint64_t start = row_start(index, i);
        if ((i == 0 ? start != 0 : start <= last) || start >= row_file_bytes) {
            return false;
        }
        checksum = extend(checksum, start);
        last = start;
    }
    return checksum == row_start(index, rows + 3);
}

}  // namespace lab::storage
