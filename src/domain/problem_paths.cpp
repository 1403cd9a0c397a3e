#include "domain/problem_paths.h"

#include "platform/json/document.h"

namespace lab::domain {
namespace {

/// The path of the key that check_schema proposes for an unknown one; empty when it proposes none.
std::string meant_path(const Detail& problem) {
    constexpr std::string_view kUnknown = "unknown key \"";
    constexpr std::string_view kHint = "\", did you mean \"";
    const std::string_view message = problem.message;
    const std::size_t hint = message.rfind(kHint);
    if (!message.starts_with(kUnknown) || hint == std::string_view::npos ||
        !message.ends_with("\"?")) {
        return "";
    }
    // The key as the message has it may be shortened: the path ends in the whole one.
    const std::size_t start = hint + kHint.size();
    const std::string_view key = message.substr(start, message.size() - start - 2);
    const std::string_view path = problem.field;
    const std::size_t end = path.ends_with("\"]") ? path.rfind("[\"") : path.rfind('.');
    return path_member(end == std::string_view::npos ? "" : path.substr(0, end), key);
}

bool covered(const std::set<std::string, std::less<>>& paths, std::string_view path) {
    if (paths.empty()) {
        return false;
    }
    if (paths.contains("") || paths.contains(path)) {
        return true;
    }
    for (std::size_t i = 1; i < path.size(); ++i) {
        if ((path[i] == '.' || path[i] == '[') && paths.contains(path.substr(0, i))) {
            return true;
        }
    }
    return false;
}

}  // namespace

ProblemPaths::ProblemPaths(const std::vector<Detail>& problems) {
    for (const Detail& problem : problems) {
        add(problem);
    }
}

void ProblemPaths::add(const Detail& problem) {
    paths_.insert(problem.field);
    if (std::string meant = meant_path(problem); !meant.empty()) {
        meant_.insert(std::move(meant));
    }
}

bool ProblemPaths::covers(std::string_view path) const {
    return covered(paths_, path) || covered(meant_, path);
}

bool ProblemPaths::touches(std::string_view path) const {
    if (covers(path)) {
        return true;
    }
    if (path.empty()) {
        return !paths_.empty();
    }
    for (const char next : {'.', '['}) {
        const std::string part = std::string(path) + next;
        for (const auto* paths : {&paths_, &meant_}) {
            const auto found = paths->lower_bound(part);
            if (found != paths->end() && found->starts_with(part)) {
                return true;
            }
        }
    }
    return false;
}

bool ProblemPaths::misspelled(std::string_view path) const { return meant_.contains(path); }

}  // namespace lab::domain
