#pragma once
#include "base/result.h"

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace lab::domain {

/// The places of a spec that something is wrong with already. A check that stands on a value asks
/// first, so that one mistake is not told again in other words.
class ProblemPaths {
  public:
    ProblemPaths() = default;
    explicit ProblemPaths(const std::vector<Detail>& problems);
    void add(const Detail& problem);

    /// Whether something is wrong with this value or with one that it is part of: then it was not
    /// read as it was meant. An unknown key counts as the key that it was taken for, too: of
    /// `refrence: ...` follows what is said about a missing `reference`.
    bool covers(std::string_view path) const;
    /// The same, or with a part of it.
    bool touches(std::string_view path) const;
    /// Whether `path` is a key that some unknown key was taken for.
    bool misspelled(std::string_view path) const;

  private:
    std::set<std::string, std::less<>> paths_;
    std::set<std::string, std::less<>> meant_;
};

}  // namespace lab::domain
