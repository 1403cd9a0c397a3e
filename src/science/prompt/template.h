#pragma once
#include "base/result.h"
#include "platform/json/json.h"

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lab::science {

/// A text with `{{name}}` in it. Substitution and nothing else: no expressions, and what is put in
/// is never read again, so a value that holds `{{x}}` stays text.
///
/// - `{{name}}`, `{{ name }}`: a name is a letter or underscore, then letters, digits, `_`, `.`,
///   `-` (all ASCII); spaces and tabs may stand inside the braces.
/// - `{{{{` is a literal `{{`.
/// - Only `{{` opens: `{`, `}` and `}}` elsewhere are text, so JSON needs no escape.
///
/// Immutable; any thread.
class Template {
  public:
    /// The value of a name, or nothing when there is none.
    using Lookup = std::function<std::optional<std::string>(std::string_view name)>;

    /// Errors: validation with "line L, column C" in the template (counted from 1, columns in code
    /// points): a `{{` that is not closed, a name that is none.
    static Result<Template> parse(std::string_view text);

    /// Each once, in the order they first occur.
    const std::vector<std::string>& variables() const { return variables_; }

    /// `item`: an object; names find its members as find_variable does. Text goes in as it is,
    /// numbers and booleans as JSON writes them, objects and arrays as compact JSON.
    /// Errors: validation for a name that is missing or null, with the nearest one there is.
    Result<std::string> render(const Json& item) const;
    /// `known`: the names there are, for the same hint.
    Result<std::string> render(const Lookup& lookup, const std::vector<std::string>& known = {})
        const;

    /// The same text with something else in place of its variables: `as` gives the template text
    /// for a name, "{{other}}" or quote() of what is put in for good.
    std::string rewritten(const std::function<std::string(std::string_view name)>& as) const;
    /// `text` as a template that renders to it.
    static std::string quote(std::string_view text);

  private:
    struct Piece {
        std::string text;  ///< literal, or the name
        bool is_variable = false;
    };
    void add_text(std::string_view text);
    void add_variable(std::string_view name);
    std::vector<Piece> pieces_;
    std::vector<std::string> variables_;
};

/// The member of `item` that `name` means: the one of exactly that name, or else through the dots
/// into members that are objects ("a.b.c" is "a.b.c", or "b.c" in "a", or "c" in "a.b").
/// nullptr when there is none, also when `item` is not an object.
const Json* find_variable(const Json& item, std::string_view name);

}  // namespace lab::science
