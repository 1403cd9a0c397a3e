#include "platform/json/document.h"
#include "platform/json/impl/locate_json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <vector>

namespace lab {
namespace {

bool is_plain_name(std::string_view name) {
    return !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-';
    });
}

/// Where each step of a path ends; the last is the path's length. Steps are `name`, `[3]` and
/// `["na me"]`, in which a bracket or a dot belongs to the name.
std::vector<std::size_t> step_ends(std::string_view path) {
    std::vector<std::size_t> ends;
    bool quoted = false;
    for (std::size_t i = 0; i < path.size(); ++i) {
        const char c = path[i];
        if (quoted) {
            i += c == '\\' ? 1 : 0;
            quoted = c != '"';
        } else if (c == '"') {
            quoted = true;
        } else if ((c == '.' || c == '[') && i > 0) {
            ends.push_back(i);
        }
    }
    ends.push_back(path.size());
    return ends;
}

class JsonLocator {
  public:
    explicit JsonLocator(std::string_view text) : text_(text) {}
    SourceMap run() {
        blank();
        value("", here());
        return std::move(map_);
    }

  private:
    Mark here() const { return {line_, column_}; }
    char peek() const { return text_[offset_]; }
    void skip() {
        const auto byte = static_cast<unsigned char>(text_[offset_++]);
        if (byte == '\n') {
            ++line_;
            column_ = 1;
        } else {
            column_ += (byte & 0xc0) != 0x80;
        }
    }
    void blank() {
        while (offset_ < text_.size() &&
               (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) {
            skip();
        }
    }
    std::string string() {
        const std::size_t start = offset_;
        bool escaped = false;
        skip();
        while (peek() != '"') {
            escaped = escaped || peek() == '\\';
            if (peek() == '\\') {
                skip();
            }
            skip();
        }
        skip();
        const std::string_view quoted = text_.substr(start, offset_ - start);
        if (escaped) {
            return parse_json(quoted).value_or(Json("")).get<std::string>();
        }
        return std::string(quoted.substr(1, quoted.size() - 2));
    }
    void value(const std::string& path, Mark key) {
        map_.set(path, key, here());
        if (peek() == '{' || peek() == '[') {
            members(path, peek() == '{');
        } else if (peek() == '"') {
            string();
        } else {
            while (offset_ < text_.size() &&
                   std::string_view(",]} \t\r\n").find(peek()) == std::string_view::npos) {
                skip();
            }
        }
    }
    void members(const std::string& path, bool object) {
        const char last = object ? '}' : ']';
        skip();
        blank();
        for (std::size_t i = 0; peek() != last; ++i) {
            const Mark key = here();
            std::string child;
            if (object) {
                child = path_member(path, string());
                blank();
                skip();
                blank();
            } else {
                child = path_index(path, i);
            }
            value(child, key);
            blank();
            if (peek() == ',') {
                skip();
                blank();
            }
        }
        skip();
    }

    std::string_view text_;
    std::size_t offset_ = 0;
    int line_ = 1;
    int column_ = 1;
    SourceMap map_;
};

Mark place_of(const Detail& problem, const SourceMap& map) {
    return problem.message.starts_with("unknown key") ? map.locate_key(problem.field)
                                                      : map.locate(problem.field);
}

std::string prefix_of(Mark mark, std::string_view file) {
    std::string out(file);
    out += file.empty() ? "" : ":";
    if (mark.line > 0) {
        out += std::to_string(mark.line) + ":" + std::to_string(mark.column) + ":";
    }
    return out + (out.empty() ? "" : " ");
}

}  // namespace

SourceMap locate_json(std::string_view json) { return JsonLocator(json).run(); }

void SourceMap::set(std::string path, Mark key, Mark value) {
    places_.insert_or_assign(std::move(path), Place{key, value});
}

Mark SourceMap::locate(std::string_view path) const {
    const std::vector<std::size_t> ends = step_ends(path);
    for (auto end = ends.rbegin(); end != ends.rend(); ++end) {
        if (const auto found = places_.find(path.substr(0, *end)); found != places_.end()) {
            return found->second.value;
        }
    }
    const auto root = places_.find(std::string_view());
    return root == places_.end() ? Mark{} : root->second.value;
}

Mark SourceMap::locate_key(std::string_view path) const {
    const auto found = places_.find(path);
    return found == places_.end() ? locate(path) : found->second.key;
}

std::string describe_problem(const Detail& problem, const SourceMap& map, std::string_view file) {
    return prefix_of(place_of(problem, map), file) + problem.message;
}

std::vector<std::string> describe_problems(
    const Error& error, const SourceMap& map, std::string_view file
) {
    if (error.details.empty()) {
        // A syntax error carries its place at the front of the message already.
        const bool located =
            error.message.find_first_not_of("0123456789:") >= 4 && error.message.find(": ") < 24;
        return {std::string(file) + (file.empty() ? "" : located ? ":" : ": ") + error.message};
    }
    std::multimap<std::pair<int, int>, std::string> sorted;
    for (const Detail& problem : error.details) {
        const Mark mark = place_of(problem, map);
        sorted.emplace(std::pair(mark.line, mark.column), describe_problem(problem, map, file));
    }
    std::vector<std::string> lines;
    for (auto& [mark, line] : sorted) {
        if (std::ranges::find(lines, line) == lines.end()) {
            lines.push_back(std::move(line));
        }
    }
    return lines;
}

std::string path_member(std::string_view path, std::string_view member) {
    std::string out(path);
    if (is_plain_name(member)) {
        out += path.empty() ? "" : ".";
        out += member;
    } else {
        out += '[';
        append_json_string(out, member);
        out += ']';
    }
    return out;
}

std::string path_index(std::string_view path, std::size_t index) {
    return std::string(path) + "[" + std::to_string(index) + "]";
}

}  // namespace lab
