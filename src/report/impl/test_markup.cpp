#include "report/impl/test_markup.h"

#include "base/text.h"

#include <cctype>
#include <string>
#include <vector>

namespace lab::report {
namespace {

/// Reads one tag that starts behind "<"; false with a problem.
struct TagReader {
    std::string_view text;
    std::size_t at = 0;
    std::vector<std::string> open;
    std::string problem;

    bool is_void(const std::string& name) const {
        return name == "meta" || name == "input" || name == "wbr";
    }
    std::string name() {
        const std::size_t begin = at;
        while (at < text.size() &&
               (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '-')) {
            ++at;
        }
        return std::string(text.substr(begin, at - begin));
    }
    bool fail(const std::string& what) {
        problem = what + " near: " + std::string(text.substr(at > 60 ? at - 60 : 0, 120));
        return false;
    }
    bool attributes(bool& closed) {
        for (;;) {
            while (at < text.size() && (text[at] == ' ' || text[at] == '\n')) {
                ++at;
            }
            if (at >= text.size()) {
                return fail("unfinished tag");
            }
            if (text[at] == '>' || text.substr(at).starts_with("/>")) {
                closed = text[at] == '/';
                at += closed ? 2 : 1;
                return true;
            }
            if (name().empty()) {
                return fail("a strange attribute");
            }
            if (text[at] != '=') {
                continue;
            }
            const std::size_t end = text.find('"', at + 2);
            if (text.substr(at, 2) != "=\"" || end == std::string_view::npos) {
                return fail("an attribute without quotes");
            }
            if (text.substr(at, end - at).contains('<')) {
                return fail("markup in an attribute");
            }
            at = end + 1;
        }
    }
    bool tag() {
        if (text[at] == '!' || text[at] == '?') {
            at = text.find('>', at) + 1;
            return true;
        }
        const bool end = text[at] == '/';
        at += end ? 1 : 0;
        const std::string which = name();
        if (which.empty()) {
            return fail("a bare <");
        }
        if (end) {
            if (open.empty() || open.back() != which || text[at] != '>') {
                return fail("</" + which + "> closes " + (open.empty() ? "nothing" : open.back()));
            }
            open.pop_back();
            ++at;
            return true;
        }
        bool closed = false;
        if (!attributes(closed)) {
            return false;
        }
        if (closed || is_void(which)) {
            return true;
        }
        open.push_back(which);
        if (which == "script" || which == "style") {
            at = text.find("</" + which, at);
        }
        return at != std::string_view::npos || fail("an endless " + which);
    }
};

}  // namespace

std::string markup_problem(std::string_view text) {
    if (!is_utf8(text)) {
        return "invalid UTF-8";
    }
    TagReader reader{.text = text};
    for (;;) {
        const std::size_t tag = text.find('<', reader.at);
        const std::string_view content = text.substr(reader.at, tag - reader.at);
        for (const char c : content) {
            const auto byte = static_cast<unsigned char>(c);
            if ((byte < 0x20 && c != '\n' && c != '\t') || c == '>') {
                return "a character that has no business here: " + std::string(content);
            }
        }
        if (tag == std::string_view::npos) {
            return reader.open.empty() ? "" : "unclosed " + reader.open.back();
        }
        reader.at = tag + 1;
        if (!reader.tag()) {
            return reader.problem;
        }
    }
}

}  // namespace lab::report
