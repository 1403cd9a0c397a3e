#include "api/accept.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

namespace lab::api {
namespace {

constexpr std::string_view kAnyFile = "application/octet-stream";

struct Range {
    std::string type;  ///< "text/html", "text/*" or "*/*"
    double quality = 1;
};

std::optional<double> quality_of(std::string_view text) {
    double out = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, out, std::chars_format::fixed);
    const bool whole = error == std::errc() && rest == end && out >= 0 && out <= 1;
    return whole ? std::optional(out) : std::nullopt;
}

/// nullopt: this is no media range.
std::optional<Range> read_range(std::string_view text) {
    const std::vector<std::string_view> parts = split(text, ';');
    Range out{.type = to_lower(trim(parts.front()))};
    if (out.type == "*") {
        out.type = "*/*";  // as some old clients write it
    }
    const std::size_t slash = out.type.find('/');
    if (slash == std::string::npos || slash == 0 || slash + 1 == out.type.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 1; i < parts.size(); ++i) {
        const std::string parameter = to_lower(trim(parts[i]));
        if (parameter.starts_with("q=")) {
            const auto quality = quality_of(std::string_view(parameter).substr(2));
            if (!quality) {
                return std::nullopt;
            }
            out.quality = *quality;
        }
    }
    return out;
}

/// How closely a range names a type: 3 itself, 2 all of its kind, 1 everything, 0 not at all.
int closeness(const Range& range, std::string_view type) {
    if (range.type == type) {
        return 3;
    }
    if (range.type == "*/*") {
        return 1;
    }
    const std::string_view kind = type.substr(0, type.find('/') + 1);
    return range.type == std::string(kind) + "*" ? 2 : 0;
}

/// Of what a route answers; lists are made in other forms too (api/lists.h).
std::vector<std::string_view> types_of(const Route& route) {
    std::vector<std::string_view> out;
    const std::vector<std::string_view> words = split(route.answer, ' ');
    if (words.front().find('/') == std::string_view::npos) {
        out.emplace_back("application/json");
    }
    if (words.front() == "Page") {
        out.insert(out.end(), {"application/x-ndjson", "application/ndjson", "text/csv"});
    }
    for (const std::string_view word : words) {
        if (word.find('/') != std::string_view::npos) {
            out.push_back(word);
        }
    }
    return out;
}

}  // namespace

bool accepts(std::string_view accept, std::string_view media_type) {
    if (trim(accept).empty()) {
        return true;
    }
    int closest = 0;
    double quality = 0;
    for (const std::string_view part : split(accept, ',')) {
        if (trim(part).empty()) {
            continue;
        }
        const std::optional<Range> range = read_range(part);
        if (!range) {
            return true;
        }
        const int close = closeness(*range, media_type);
        if (close > closest || (close == closest && close > 0 && range->quality > quality)) {
            closest = close;
            quality = range->quality;
        }
    }
    return quality > 0;
}

bool has_known_types(const Route& route) {
    return !route.on_io_thread && !route.answer.empty() && route.success != 204 &&
           route.success != 302 && route.answer != kAnyFile;
}

bool accepts_any_of(std::string_view accept, const Route& route) {
    if (trim(accept).empty()) {
        return true;
    }
    return std::ranges::any_of(types_of(route), [&](std::string_view type) {
        return accepts(accept, type);
    });
}

}  // namespace lab::api
