#pragma once
#include "report/terminal.h"

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Text as a terminal with a fixed pitch shows it.
namespace lab::report {

/// Columns that a terminal needs: East Asian wide characters take two, combining marks none.
std::size_t display_width(std::string_view utf8);
/// At most `width` columns; "…" stands where something was cut (in the middle, since identifiers
/// tell themselves apart at their ends).
std::string abbreviate(std::string_view utf8, std::size_t width);
/// Lines of at most `width` columns, broken at spaces; words that are longer are cut.
std::vector<std::string> wrap(std::string_view utf8, std::size_t width);
/// The same for a name, broken behind one of its separators where there is one.
std::vector<std::string> wrap_name(std::string_view utf8, std::size_t width);
/// Whether a terminal or a reader could be misled by it: C0, C1, DEL, direction overrides and
/// invisible formatting characters.
bool is_unsafe(char32_t code_point);

}  // namespace lab::report
