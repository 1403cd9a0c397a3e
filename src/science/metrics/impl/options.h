#pragma once
#include "base/result.h"
#include "platform/json/json.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lab::science {

/// Reads a scorer's options with their defaults and collects every problem. The schema has been
/// checked before; what is read here is guarded all the same, because options also come from
/// stored evaluations.
class OptionReader {
  public:
    explicit OptionReader(const Json& options) : options_(options) {}
    bool flag(const char* key, bool fallback);
    /// Within [minimum, maximum].
    double number(const char* key, double fallback, double minimum, double maximum);
    std::size_t count(
        const char* key, std::size_t fallback, std::size_t minimum, std::size_t maximum
    );
    std::string text(const char* key, const std::string& fallback);
    /// One of `allowed`.
    std::string word(
        const char* key, const std::string& fallback, const std::vector<std::string>& allowed
    );
    std::vector<std::string> words(
        const char* key,
        const std::vector<std::string>& fallback,
        const std::vector<std::string>& allowed
    );
    bool has(const char* key) const;
    void fail(std::string key, std::string message);
    /// Validation with all the problems, or ok.
    Status status() const;

  private:
    const Json* find(const char* key) const;
    const Json& options_;
    std::vector<Detail> problems_;
};

/// "the reference "four"", "the references "a", "b"": shortened, for Scorer::unusable.
std::string quoted_references(std::span<const std::string> references);

/// Schema of one option.
Json flag_schema(bool fallback, std::string_view description);
Json word_schema(
    const std::vector<std::string>& allowed, const char* fallback, std::string_view description
);
Json number_schema(double fallback, double minimum, double maximum, std::string_view description);
Json count_schema(
    std::size_t fallback, std::size_t minimum, std::size_t maximum, std::string_view description
);
/// Schema of all of them.
Json options_object(Json properties, const std::vector<std::string>& required = {});

}  // namespace lab::science
