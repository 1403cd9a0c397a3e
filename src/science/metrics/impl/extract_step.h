#pragma once
#include "science/metrics/extract.h"
#include "science/metrics/regex.h"

#include <cstdint>
#include <optional>
#include <string>

namespace lab::science {

struct ExtractStep {
    enum class Kind : std::uint8_t {
        regex,
        after,
        before,
        line,
        json_path,
        strip_code_fence,
        trim,
        lower,
        strip_prefix,
        strip_suffix,
    };
    Kind kind = Kind::trim;
    std::string text;            ///< what is looked for, or the pointer
    std::optional<Regex> regex;  ///< of kind regex; of after and before when case is ignored
    std::size_t group = 0;
    bool last = false;
    bool trim = false;
    bool keep_whole = false;  ///< otherwise: whole
};

/// The answer within `text`, or nothing when the step does not match.
std::optional<std::string> run_step(const ExtractStep& step, std::string_view text);

}  // namespace lab::science
