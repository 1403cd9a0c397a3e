#include "platform/telemetry/log_filter.h"

#include "base/text.h"

#include <algorithm>
#include <array>

namespace lab {
namespace {

constexpr std::size_t kDirectivesMax = 64;
constexpr std::size_t kTargetBytesMax = 128;
constexpr std::array<std::string_view, 6> kNames{"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "OFF"};

/// Bytes of the separator at `at`: "::" or ".", else 0.
std::size_t separator_at(std::string_view text, std::size_t at) {
    const std::string_view rest = text.substr(at);
    return rest.starts_with("::") ? 2 : rest.starts_with('.') ? 1 : 0;
}

/// Whether `target` is `directive`, whose parts '.' separates, or below it.
bool fits(std::string_view directive, std::string_view target) {
    std::size_t at = 0;
    for (const char c : directive) {
        if (at >= target.size()) {
            return false;
        }
        const std::size_t step = c == '.' ? separator_at(target, at) : target[at] == c ? 1 : 0;
        if (step == 0) {
            return false;
        }
        at += step;
    }
    return at == target.size() || separator_at(target, at) > 0;
}

std::optional<std::string> parse_target(std::string_view text) {
    if (text.empty() || text.size() > kTargetBytesMax) {
        return std::nullopt;
    }
    std::string out;
    for (std::size_t i = 0; i < text.size();) {
        const std::size_t separator = separator_at(text, i);
        const char c = text[i];
        const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                            (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (separator == 0 && !letter) {
            return std::nullopt;
        }
        out += separator > 0 ? '.' : c;
        i += std::max<std::size_t>(separator, 1);
    }
    const bool whole = out.front() != '.' && out.back() != '.' && out.find("..") == out.npos;
    return whole ? std::optional(std::move(out)) : std::nullopt;
}

}  // namespace

std::string_view name_of(LogLevel level) { return kNames[static_cast<std::size_t>(level)]; }

std::optional<LogLevel> parse_log_level(std::string_view word) {
    const std::string lower = to_lower(word.substr(0, 16));
    constexpr std::array<std::string_view, 6> kWords{
        "trace", "debug", "info", "warn", "error", "off"
    };
    const auto found = std::ranges::find(kWords, lower == "warning" ? "warn" : lower);
    return found == kWords.end() ? std::nullopt
                                 : std::optional(static_cast<LogLevel>(found - kWords.begin()));
}

Result<LogFilter> LogFilter::parse(std::string_view text, LogLevel otherwise) {
    LogFilter filter(otherwise);
    std::size_t number = 0;
    for (const std::string_view part : split(text, ',')) {
        const std::string_view directive = trim_ascii(part);
        ++number;
        if (directive.empty()) {
            continue;
        }
        const auto problem = [&](const char* what) {
            return Error(Code::validation, "directive " + std::to_string(number) + " " + what);
        };
        if (number > kDirectivesMax) {
            return problem("is one too many: there are at most 64");
        }
        const std::size_t sign = directive.find('=');
        const auto word = directive.substr(sign == directive.npos ? 0 : sign + 1);
        const std::optional<LogLevel> level = parse_log_level(trim_ascii(word));
        if (sign == directive.npos && level) {
            filter.otherwise_ = *level;
            continue;
        }
        if (sign != directive.npos && !level) {
            return problem("has no level: trace, debug, info, warn, error or off");
        }
        std::optional<std::string> target = parse_target(trim_ascii(directive.substr(0, sign)));
        if (!target) {
            return problem("is neither a level nor target=level");
        }
        filter.directives_.push_back({std::move(*target), level.value_or(LogLevel::trace)});
    }
    return filter;
}

LogLevel LogFilter::level_for(std::string_view target, std::string_view root) const {
    if (!root.empty() && target.starts_with(root)) {
        // An absolute target: without the root it is "" or begins with a separator.
        const std::string_view rest = target.substr(root.size());
        const std::size_t separator = separator_at(rest, 0);
        target = separator > 0 ? rest.substr(separator) : rest.empty() ? rest : target;
    }
    LogLevel level = otherwise_;
    std::size_t longest = 0;
    for (const Directive& directive : directives_) {
        const std::string_view name = directive.target;
        std::size_t length = 0;
        if (name == root) {
            length = name.size();
        } else if (fits(name, target)) {
            length = root.size() + 1 + name.size();
        } else if (name.starts_with(root) && name.substr(root.size()).starts_with('.') &&
                   fits(name.substr(root.size() + 1), target)) {
            length = name.size();
        }
        if (length > 0 && length >= longest) {
            longest = length;
            level = directive.level;
        }
    }
    return level;
}

LogLevel LogFilter::lowest() const {
    LogLevel out = otherwise_;
    for (const Directive& directive : directives_) {
        out = std::min(out, directive.level);
    }
    return out;
}

LogLevel LogFilter::highest() const {
    LogLevel out = otherwise_;
    for (const Directive& directive : directives_) {
        out = std::max(out, directive.level);
    }
    return out;
}

}  // namespace lab
