#pragma once
#include <cstdint>

namespace lab::storage {

/// Counting reads each row, so the length of a list is known up to here only.
inline constexpr std::int64_t kCountMax = 10'000;

/// How many rows a list has.
struct RowCount {
    std::int64_t rows = 0;
    bool is_exact = true;  ///< false: there are more

    /// Exactly as many.
    bool operator==(std::int64_t exactly) const { return is_exact && rows == exactly; }
};

}  // namespace lab::storage
