#pragma once
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

/// 1-based; 0 = unknown.
struct Mark {
    int line = 0;
    int column = 0;
    bool operator==(const Mark&) const = default;
};

/// Where each value of a parsed text stands. Paths look like `models[1].limits.concurrency`; a
/// member whose name is not plain ([A-Za-z0-9_-]+) is written as ["na me"].
class SourceMap {
  public:
    void set(std::string path, Mark key, Mark value);
    /// Of the value, or of the nearest ancestor that exists.
    Mark locate(std::string_view path) const;
    /// Of the member's name rather than of its value: for "unknown key".
    Mark locate_key(std::string_view path) const;

  private:
    struct Place {
        Mark key;
        Mark value;
    };
    std::map<std::string, Place, std::less<>> places_;
};

struct Document {
    Json value;
    SourceMap map;
};

/// YAML 1.2 core types (true/false, null, integers, decimals; "yes" and "on" are text), one
/// document, JSON included. Refused: repeated keys, a second document, aliases that expand beyond
/// the limits, tags, invalid UTF-8. Errors: bad_request with line and column at the front of the
/// message ("12:5: ..."), payload_too_large.
Result<Document> parse_yaml(std::string_view text, const JsonLimits& limits = {});

/// "file:12:5: message" for people and editors; without `file` "12:5: message". A problem about a
/// key ("unknown key ...") stands at the key, every other at the value.
std::string describe_problem(const Detail& problem, const SourceMap& map, std::string_view file);
/// All details of an error in the order of the text, each once; the error's own message when it has
/// none.
std::vector<std::string> describe_problems(
    const Error& error, const SourceMap& map, std::string_view file
);

/// Appends a member to a path in the notation of SourceMap.
std::string path_member(std::string_view path, std::string_view member);
std::string path_index(std::string_view path, std::size_t index);

}  // namespace lab
