#include "report/impl/markup.h"

#include "base/text.h"

namespace lab::report {

std::string markup(std::string_view text) {
    std::string out;
    out.reserve(text.size() + text.size() / 16);
    for (std::size_t at = 0; at < text.size();) {
        const char32_t c = next_code_point(text, at);
        const bool line = c == '\n' || c == '\t' || c == '\r';
        const bool control = (c < 0x20 && !line) || (c >= 0x7F && c <= 0x9F);
        const bool turns = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
        if (c == '&') {
            out += "&amp;";
        } else if (c == '<') {
            out += "&lt;";
        } else if (c == '>') {
            out += "&gt;";
        } else if (c == '"') {
            out += "&quot;";
        } else if (c == '\'') {
            out += "&#39;";
        } else if (c == '\r') {
            out += "&#13;";
        } else if (control || turns || c == 0xFFFE || c == 0xFFFF) {
            out += "\xEF\xBF\xBD";
        } else {
            append_utf8(out, c);
        }
    }
    return out;
}

std::string markup_name(std::string_view name) {
    std::string out;
    std::size_t begin = 0;
    for (std::size_t i = 0; i + 1 < name.size(); ++i) {
        if (std::string_view("/_-.:").contains(name[i])) {
            out += markup(name.substr(begin, i + 1 - begin)) + "<wbr>";
            begin = i + 1;
        }
    }
    return out + markup(name.substr(begin));
}

}  // namespace lab::report
