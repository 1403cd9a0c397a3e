#include "science/metrics/porter_stemmer.h"

#include <array>
#include <span>
#include <utility>

namespace lab::science {
namespace {

/// Words whose stem the rules would get wrong, with the stem.
constexpr std::array<std::pair<std::string_view, std::string_view>, 16> kIrregular = {{
    {"sky", "sky"},
    {"skies", "sky"},
    {"dying", "die"},
    {"lying", "lie"},
    {"tying", "tie"},
    {"news", "news"},
    {"innings", "inning"},
    {"inning", "inning"},
    {"outings", "outing"},
    {"outing", "outing"},
    {"cannings", "canning"},
    {"canning", "canning"},
    {"howe", "howe"},
    {"proceed", "proceed"},
    {"exceed", "exceed"},
    {"succeed", "succeed"},
}};

bool is_consonant(std::string_view word, std::size_t at) {
    // A y is a consonant first in the word or behind a vowel: count back over a run of them.
    bool flipped = false;
    while (word[at] == 'y') {
        if (at == 0) {
            return !flipped;
        }
        flipped = !flipped;
        --at;
    }
    const char c = word[at];
    const bool consonant = c != 'a' && c != 'e' && c != 'i' && c != 'o' && c != 'u';
    return consonant != flipped;
}

/// Porter's m: how often a run of vowels is followed by a run of consonants.
std::size_t measure(std::string_view stem) {
    std::size_t count = 0;
    bool after_vowel = false;
    for (std::size_t i = 0; i < stem.size(); ++i) {
        const bool consonant = is_consonant(stem, i);
        count += consonant && after_vowel ? 1 : 0;
        after_vowel = !consonant;
    }
    return count;
}

bool has_positive_measure(std::string_view stem) { return measure(stem) > 0; }

bool has_vowel(std::string_view stem) {
    for (std::size_t i = 0; i < stem.size(); ++i) {
        if (!is_consonant(stem, i)) {
            return true;
        }
    }
    return false;
}

bool ends_in_double_consonant(std::string_view word) {
    const std::size_t n = word.size();
    return n >= 2 && word[n - 1] == word[n - 2] && is_consonant(word, n - 1);
}

/// Consonant, vowel, consonant other than w x y; or a whole word of vowel and consonant.
bool ends_in_cvc(std::string_view word) {
    const std::size_t n = word.size();
    if (n == 2) {
        return !is_consonant(word, 0) && is_consonant(word, 1);
    }
    return n >= 3 && is_consonant(word, n - 3) && !is_consonant(word, n - 2) &&
           is_consonant(word, n - 1) && word[n - 1] != 'w' && word[n - 1] != 'x' &&
           word[n - 1] != 'y';
}

std::string_view without(std::string_view word, std::string_view suffix) {
    return word.substr(0, word.size() - suffix.size());
}

std::string joined(std::string_view stem, std::string_view ending) {
    std::string out(stem);
    out += ending;
    return out;
}

struct Rule {
    std::string_view suffix;
    std::string_view ending;
};

/// The first rule whose suffix the word has decides, whether its stem is long enough or not.
std::string apply(std::string_view word, std::span<const Rule> rules, std::size_t measure_min) {
    for (const Rule& rule : rules) {
        if (word.ends_with(rule.suffix)) {
            const std::string_view stem = without(word, rule.suffix);
            return measure(stem) >= measure_min ? joined(stem, rule.ending) : std::string(word);
        }
    }
    return std::string(word);
}

std::string step1a(std::string_view word) {
    if (word.size() == 4 && word.ends_with("ies")) {
        return joined(without(word, "ies"), "ie");
    }
    constexpr std::array<Rule, 4> kRules = {{
        {"sses", "ss"},
        {"ies", "i"},
        {"ss", "ss"},
        {"s", ""},
    }};
    return apply(word, kRules, 0);
}

/// Puts back what -ed and -ing took away: "hopp" -> "hop", "fil" -> "file".
std::string repair_stem(std::string_view stem) {
    for (const std::string_view suffix : {"at", "bl", "iz"}) {
        if (stem.ends_with(suffix)) {
            return joined(stem, "e");
        }
    }
    if (ends_in_double_consonant(stem)) {
        const char last = stem.back();
        const bool keeps = last == 'l' || last == 's' || last == 'z';
        return std::string(keeps ? stem : stem.substr(0, stem.size() - 1));
    }
    return measure(stem) == 1 && ends_in_cvc(stem) ? joined(stem, "e") : std::string(stem);
}

std::string step1b(std::string_view word) {
    if (word.ends_with("ied")) {
        return joined(without(word, "ied"), word.size() == 4 ? "ie" : "i");
    }
    if (word.ends_with("eed")) {
        const std::string_view stem = without(word, "eed");
        return has_positive_measure(stem) ? joined(stem, "ee") : std::string(word);
    }
    for (const std::string_view suffix : {"ed", "ing"}) {
        if (word.ends_with(suffix) && has_vowel(without(word, suffix))) {
            return repair_stem(without(word, suffix));
        }
    }
    return std::string(word);
}

std::string step1c(std::string_view word) {
    if (word.ends_with('y')) {
        const std::string_view stem = without(word, "y");
        if (stem.size() > 1 && is_consonant(stem, stem.size() - 1)) {
            return joined(stem, "i");
        }
    }
    return std::string(word);
}

std::string step2(std::string_view word) {
    if (word.ends_with("alli") && has_positive_measure(without(word, "alli"))) {
        return step2(joined(without(word, "alli"), "al"));
    }
    constexpr std::array<Rule, 21> kRules = {{
        {"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"},   {"anci", "ance"},
        {"izer", "ize"},    {"bli", "ble"},     {"alli", "al"},     {"entli", "ent"},
        {"eli", "e"},       {"ousli", "ous"},   {"ization", "ize"}, {"ation", "ate"},
        {"ator", "ate"},    {"alism", "al"},    {"iveness", "ive"}, {"fulness", "ful"},
        {"ousness", "ous"}, {"aliti", "al"},    {"iviti", "ive"},   {"biliti", "ble"},
        {"fulli", "ful"},
    }};
    if (word.ends_with("logi")) {
        // The l counts with the stem, so that short stems such as geo and theo work too.
        return has_positive_measure(word.substr(0, word.size() - 3))
                   ? joined(without(word, "i"), "")
                   : std::string(word);
    }
    return apply(word, kRules, 1);
}

std::string step3(std::string_view word) {
    constexpr std::array<Rule, 7> kRules = {{
        {"icate", "ic"},
        {"ative", ""},
        {"alize", "al"},
        {"iciti", "ic"},
        {"ical", "ic"},
        {"ful", ""},
        {"ness", ""},
    }};
    return apply(word, kRules, 1);
}

std::string step4(std::string_view word) {
    constexpr std::array<std::string_view, 11> kBeforeIon = {
        "al", "ance", "ence", "er", "ic", "able", "ible", "ant", "ement", "ment", "ent"
    };
    constexpr std::array<std::string_view, 7> kAfterIon = {
        "ou", "ism", "ate", "iti", "ous", "ive", "ize"
    };
    const auto decide = [&](std::string_view suffix, bool allowed) {
        const std::string_view stem = without(word, suffix);
        return std::string(allowed && measure(stem) > 1 ? stem : word);
    };
    for (const std::string_view suffix : kBeforeIon) {
        if (word.ends_with(suffix)) {
            return decide(suffix, true);
        }
    }
    if (word.ends_with("ion")) {
        const std::string_view stem = without(word, "ion");
        return decide("ion", stem.ends_with('s') || stem.ends_with('t'));
    }
    for (const std::string_view suffix : kAfterIon) {
        if (word.ends_with(suffix)) {
            return decide(suffix, true);
        }
    }
    return std::string(word);
}

std::string step5(std::string_view word) {
    if (word.ends_with('e')) {
        const std::string_view stem = without(word, "e");
        const std::size_t m = measure(stem);
        word = m > 1 || (m == 1 && !ends_in_cvc(stem)) ? stem : word;
    }
    const bool shorten = word.ends_with("ll") && measure(word.substr(0, word.size() - 1)) > 1;
    return std::string(shorten ? word.substr(0, word.size() - 1) : word);
}

}  // namespace

std::string porter_stem(std::string_view word) {
    for (const auto& [form, stem] : kIrregular) {
        if (form == word) {
            return std::string(stem);
        }
    }
    if (word.size() <= 2) {
        return std::string(word);
    }
    return step5(step4(step3(step2(step1c(step1b(step1a(word)))))));
}

}  // namespace lab::science
