#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace lab::storage {

/// A set of words as it stands in a column: ";a;;b;", sorted, so that one LIKE finds a subset.
/// Words hold no ";".
std::string join_words(std::vector<std::string> words);
std::vector<std::string> split_words(std::string_view text);

/// `text` between two "%", with what LIKE would take for a wildcard behind "\".
std::string pattern_within(std::string_view text);

}  // namespace lab::storage
