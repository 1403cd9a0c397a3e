#pragma once
#include <string>
#include <string_view>

namespace lab::report {

/// Text for XML 1.0 and HTML, as content or inside a quoted attribute: markup characters become
/// references; characters XML has not, C1 controls and direction overrides (which would turn our
/// own words around) become U+FFFD, invalid UTF-8 too.
std::string markup(std::string_view text);

/// A name for HTML that may be broken after its separators and nowhere else.
std::string markup_name(std::string_view name);

}  // namespace lab::report
