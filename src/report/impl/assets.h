#pragma once
#include <string_view>

namespace lab::report {

/// assets/report.css and assets/report.js, built in.
std::string_view page_style();
std::string_view page_script();

}  // namespace lab::report
