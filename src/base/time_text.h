#pragma once
#include "base/clock.h"

#include <optional>
#include <string_view>

namespace lab {

/// A date and time of RFC 3339 section 5.6 in the years 0001 to 9999, with "Z" or an offset; what
/// is finer than microseconds is cut off, a leap second is the second after. nullopt: it is none.
/// format_rfc3339() of clock.h is the way back.
std::optional<WallTime> parse_rfc3339(std::string_view text);

}  // namespace lab
