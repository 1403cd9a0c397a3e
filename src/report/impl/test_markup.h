#pragma once
#include <string>
#include <string_view>

namespace lab::report {

/// Empty when the tags of an XML or HTML text are balanced and its attributes quoted; else what is
/// wrong. Content of script and style elements is taken as it is.
std::string markup_problem(std::string_view text);

}  // namespace lab::report
