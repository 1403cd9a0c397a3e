#pragma once
#include "base/result.h"
#include "platform/json/json.h"

#include <string>
#include <string_view>
#include <vector>

namespace lab::science {

struct ExtractStep;  // impl/extract_step.h

struct Extracted {
    bool found = false;
    std::string text;  ///< empty when nothing was found
};

/// Takes the answer out of an output, by steps that each work on what the step before left.
/// Immutable; any thread.
///
/// A step is an object with one of these keys:
///   regex: PATTERN       the group `group` (number or name; default 1, or 0 without groups) of the
///                        `which` (first, last) match; `ignore_case`
///   after: TEXT          what stands behind the `which` (first) occurrence; `ignore_case`
///   before: TEXT         what stands before the `which` (first) occurrence; `ignore_case`
///   line: first | last   that line among those that are not blank
///   json_path: POINTER   the value at an RFC 6901 pointer: text as it is, the rest as compact JSON
///   strip_code_fence: true    the inside of the first Markdown code block, if there is one
///   trim, lower: true    whitespace off both ends; lower case
///   strip_prefix, strip_suffix: TEXT    off once, if it is there
/// The first five can fail to match. Then nothing is found, or with `otherwise: whole` the text
/// stays as it came into the step. `trim: true` beside one of them trims what it found.
class Extractor {
  public:
    Extractor();
    Extractor(Extractor&&) noexcept;
    Extractor& operator=(Extractor&&) noexcept;
    ~Extractor();

    bool empty() const { return steps_.empty(); }
    Extracted apply(std::string_view output) const;

  private:
    friend Result<Extractor> make_extractor(const Json& steps);
    std::vector<ExtractStep> steps_;
};

/// From an array of steps, one step object, or null (no steps: the whole output is found).
/// Errors: validation, one detail for each problem; field "[1].regex" for an array, "regex" for an
/// object, so that the caller's own path can stand before it.
Result<Extractor> make_extractor(const Json& steps);

/// JSON Schema of what make_extractor takes.
Json extract_schema();

}  // namespace lab::science
