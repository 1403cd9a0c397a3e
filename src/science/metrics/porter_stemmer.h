#pragma once
#include <string>
#include <string_view>

namespace lab::science {

/// Porter's stemmer (Porter 1980) with the extensions of NLTK's PorterStemmer, the one ROUGE and
/// METEOR are computed with; neither Porter's original nor Snowball's "english". `word`: lower-case
/// ASCII; other characters count as consonants. Source: nltk 3.10.4,
/// tests/vectors/porter_stemmer.json.
std::string porter_stem(std::string_view word);

}  // namespace lab::science
