#pragma once
#include "base/money.h"
#include "domain/spec.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lab::domain {

/// A value of the source together with its path. Reads leniently: what is absent or of the wrong
/// type gives the fallback, because the schema has reported it already and the checks that follow
/// should find the rest.
class SpecNode {
  public:
    SpecNode(const Json* value, std::string path) : value_(value), path_(std::move(path)) {}

    const std::string& path() const { return path_; }
    bool given() const { return value_ != nullptr; }
    bool is_object() const { return given() && value_->is_object(); }
    bool is_array() const { return given() && value_->is_array(); }
    bool is_text() const { return given() && value_->is_string(); }
    bool has(std::string_view key) const { return member(key).given(); }

    SpecNode member(std::string_view key) const;
    /// Of a list; nothing for anything else.
    std::vector<SpecNode> entries() const;
    /// Of a mapping, in order; nothing for anything else.
    std::vector<std::pair<std::string, SpecNode>> members() const;
    /// The value itself when it is text, the texts of a list otherwise.
    std::vector<std::string> texts() const;

    std::string text(std::string_view fallback = "") const;
    bool flag(bool fallback) const;
    std::optional<double> number() const;
    std::optional<std::int64_t> whole() const;
    std::uint64_t seed() const;
    /// A number or text; exact, because a number's shortest text is what was written.
    std::optional<Money> money() const;
    /// A number of seconds, or text such as "1m30s".
    std::optional<Seconds> duration() const;
    /// Mappings only; an empty one otherwise.
    Json object() const;
    const Json& json() const;

  private:
    const Json* value_;
    std::string path_;
};

}  // namespace lab::domain
