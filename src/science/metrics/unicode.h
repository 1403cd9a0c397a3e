#pragma once
#include <string_view>
#include <vector>

/// Classes of code points as the general categories of Unicode 14 have them.
namespace lab::science {

bool is_letter(char32_t code_point);       ///< L*
bool is_number(char32_t code_point);       ///< N*
bool is_punctuation(char32_t code_point);  ///< P*
bool is_symbol(char32_t code_point);       ///< S*
/// One of the 32 of Python's string.punctuation: !"#$%&'()*+,-./:;<=>?@[\]^_`{|}~
bool is_ascii_punctuation(char c);

/// Without whitespace at the end (Python's str.rstrip).
std::string_view trim_end(std::string_view utf8);
/// The runs without whitespace (Python's str.split), as views into `utf8`.
std::vector<std::string_view> split_words(std::string_view utf8);

}  // namespace lab::science
