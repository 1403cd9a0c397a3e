#pragma once
#include "platform/json/document.h"

namespace lab {

/// Places of all values of `json`, which parse_json must have accepted: nothing is checked here.
/// Own code, because the YAML parser refuses some JSON (surrogate pairs) and has other limits.
SourceMap locate_json(std::string_view json);

}  // namespace lab
