#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

/// Offset of the first byte that is not valid UTF-8 (RFC 3629), or npos.
std::size_t find_invalid_utf8(std::string_view text);
inline bool is_utf8(std::string_view text) {
    return find_invalid_utf8(text) == std::string_view::npos;
}
/// Invalid sequences become U+FFFD.
std::string sanitize_utf8(std::string_view text);
/// Decodes one code point at `offset` and moves behind it; U+FFFD and one byte on if invalid.
char32_t next_code_point(std::string_view text, std::size_t& offset);
void append_utf8(std::string& out, char32_t code_point);
std::u32string to_code_points(std::string_view utf8);
std::string to_utf8(std::u32string_view code_points);
std::size_t count_code_points(std::string_view utf8);

/// Whitespace as Python's str.isspace has it (metrics.md).
bool is_space(char32_t code_point);
std::string_view trim(std::string_view utf8);
/// Full Unicode lower-casing, as Python's str.lower (final sigma, U+0130).
std::string to_lower(std::string_view utf8);

std::string_view trim_ascii(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);
std::string join(const std::vector<std::string>& parts, std::string_view separator);
std::string to_hex(std::string_view bytes);
/// At most `bytes_max` bytes of valid UTF-8, with "..." where something was cut.
std::string shorten(std::string_view utf8, std::size_t bytes_max);

/// Optimal string alignment distance, for "did you mean".
std::size_t edit_distance(std::string_view a, std::string_view b);
/// The candidate nearest to `word`, or empty when none is near enough to be meant.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

/// Shortest decimal that reads back as the same double; "NaN", "Infinity", "-Infinity" otherwise.
std::string format_double(double value);

}  // namespace lab
