#pragma once
#include "base/result.h"
#include "science/metrics/regex.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lab::science {

enum class ChoiceStyle : std::uint8_t {
    /// First `(?i)Answer[ \t]*:[ \t]*\$?([A-D])\$?` (openai/simple-evals). It takes the A of
    /// "Answer: Apple": the published figures have that weakness.
    simple_evals,
    word_boundary,  ///< the same, with brackets or stars around and no letter or digit behind
    last,           ///< the last capital letter of the choices that stands alone as a word
    whole,          ///< the whole text is one letter, but for brackets and punctuation around it
};

std::string_view name(ChoiceStyle style);
std::optional<ChoiceStyle> find_choice_style(std::string_view name);

/// Finds the letter of a multiple-choice answer. Immutable; any thread.
/// Vectors: tests/vectors/mcq_extract.json.
class ChoiceFinder {
  public:
    /// `letters`: ASCII letters, each once, case ignored: "ABCD". Errors: validation.
    static Result<ChoiceFinder> make(std::string_view letters, ChoiceStyle style);
    /// The letter in upper case, or nothing.
    std::optional<char> find(std::string_view text) const;
    /// The letter of a reference, which is mostly the bare letter: as style `whole`, else as find.
    std::optional<char> find_reference(std::string_view text) const;

  private:
    ChoiceFinder(std::string letters, ChoiceStyle style, Regex expression);
    std::optional<char> find_whole(std::string_view text) const;
    std::string letters_;
    ChoiceStyle style_;
    Regex expression_;
};

}  // namespace lab::science
