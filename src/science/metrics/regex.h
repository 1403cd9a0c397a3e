#pragma once
#include "base/result.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace lab::science {

/// A regular expression in RE2's syntax over UTF-8: a search takes time linear in the text whatever
/// the pattern, so neither a pattern nor an output can stop a run. No look-around and no back
/// references; \d \w \s \b are ASCII. Immutable; any thread.
class Regex {
  public:
    /// Views into the text that was searched; without a value where a group took no part.
    using Groups = std::vector<std::optional<std::string_view>>;

    /// Errors: validation, the message says what is wrong with the pattern.
    static Result<Regex> compile(std::string_view pattern, bool ignore_case = false);
    /// The pattern that matches `text` and nothing else.
    static std::string quote(std::string_view text);
    Regex(Regex&&) noexcept;
    Regex& operator=(Regex&&) noexcept;
    ~Regex();

    /// Groups without the whole match.
    int group_count() const;
    std::optional<int> find_group(const std::string& name) const;
    std::vector<std::string> group_names() const;

    /// First match, groups[0] is all of it.
    bool search(std::string_view text, Groups& groups, std::size_t from = 0) const;
    /// Last of the matches that do not overlap, found from the left (as Python's findall).
    bool search_last(std::string_view text, Groups& groups) const;
    bool full_match(std::string_view text, Groups& groups) const;

  private:
    explicit Regex(std::unique_ptr<re2::RE2> expression);
    bool match(std::string_view text, std::size_t from, bool whole, Groups& groups) const;
    std::unique_ptr<re2::RE2> expression_;
};

}  // namespace lab::science
