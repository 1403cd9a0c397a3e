#include "platform/json/json.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <array>
#include <charconv>
#include <utility>
#include <vector>

namespace lab {
namespace {

/// Builds the tree while it enforces the limits that nlohmann's own parser has not.
class LimitedBuilder final : public nlohmann::json_sax<Json> {
  public:
    explicit LimitedBuilder(const JsonLimits& limits) : limits_(limits) {}

    bool null() override { return put(nullptr); }
    bool boolean(bool value) override { return put(value); }
    bool number_integer(std::int64_t value) override { return put(value); }
    bool number_unsigned(std::uint64_t value) override { return put(value); }
    bool number_float(double value, const std::string&) override { return put(value); }
    bool string(std::string& value) override { return put(std::move(value)); }
    bool binary(Json::binary_t&) override { return false; }
    bool start_object(std::size_t) override { return open(Json::object()); }
    bool end_object() override { return close(); }
    bool start_array(std::size_t) override { return open(Json::array()); }
    bool end_array() override { return close(); }
    bool key(std::string& name) override {
        Json& object = *stack_.back();
        if (object.contains(name)) {
            return refuse(
                Code::bad_request, "the member \"" + shorten(name, 60) + "\" is repeated"
            );
        }
        if (object.size() >= limits_.keys_max) {
            return refuse(Code::payload_too_large, "an object has too many members");
        }
        key_ = std::move(name);
        return true;
    }
    bool parse_error(
        std::size_t position, const std::string&, const nlohmann::detail::exception& problem
    ) override {
        error_.code = Code::bad_request;
        error_.cause = problem.what();
        position_ = position;
        // "...: syntax error while parsing value - invalid literal; last read: ..." : keep the end.
        std::string_view text = problem.what();
        if (const auto at = text.find(" - "); at != std::string_view::npos) {
            text.remove_prefix(at + 3);
        }
        error_.message = "not JSON: " + shorten(text, 200);
        return false;
    }

    Json take() { return std::move(root_); }
    const Error& error() const { return error_; }
    std::size_t position() const { return position_; }

  private:
    template <class T>
    bool put(T&& value) {
        place(Json(std::forward<T>(value)));
        return true;
    }
    Json& place(Json value) {
        if (stack_.empty()) {
            root_ = std::move(value);
            return root_;
        }
        Json& parent = *stack_.back();
        if (parent.is_array()) {
            parent.push_back(std::move(value));
            return parent.back();
        }
        return parent.emplace(std::move(key_), std::move(value)).first.value();
    }
    bool open(Json value) {
        if (stack_.size() >= static_cast<std::size_t>(limits_.depth_max)) {
            return refuse(Code::payload_too_large, "nested too deeply");
        }
        stack_.push_back(&place(std::move(value)));
        return true;
    }
    bool close() {
        stack_.pop_back();
        return true;
    }
    bool refuse(Code code, std::string message) {
        error_ = Error(code, "not acceptable JSON: " + std::move(message));
        return false;
    }

    const JsonLimits& limits_;
    Json root_;
    std::vector<Json*> stack_;
    std::string key_;
    Error error_{Code::bad_request, "not JSON"};
    std::size_t position_ = 0;
};

/// " (line L, column C)".
std::string place_of(std::string_view text, std::size_t at) {
    const std::string_view before = text.substr(0, at);
    const auto line = 1 + std::ranges::count(before, '\n');
    const auto column = before.size() - (before.rfind('\n') + 1) + 1;
    return " (line " + std::to_string(line) + ", column " + std::to_string(column) + ")";
}

bool needs_escape(std::string_view text) {
    for (const char c : text) {
        const auto b = static_cast<unsigned char>(c);
        if (b < 0x20 || b == '"' || b == '\\') {
            return true;
        }
    }
    return false;
}

/// As the package writes it.
std::string dump_slowly(const Json& value) {
    return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

void append_text(std::string& out, const std::string& text) {
    if (needs_escape(text) || !is_utf8(text)) {
        out += dump_slowly(text);
        return;
    }
    out += '"';
    out += text;
    out += '"';
}

template <class Number>
void append_number(std::string& out, Number number) {
    std::array<char, 24> text{};
    const auto written = std::to_chars(text.begin(), text.end(), number);
    out.append(text.data(), written.ptr);
}

/// The same text as dump_slowly(). What answers are full of, plain strings and whole numbers, is
/// written here: the package looks at every letter twice.
void append_json(std::string& out, const Json& value) {
    switch (value.type()) {
        case Json::value_t::object: {
            char before = '{';
            for (auto member = value.begin(); member != value.end(); ++member) {
                out += std::exchange(before, ',');
                append_text(out, member.key());
                out += ':';
                append_json(out, *member);
            }
            out += before == '{' ? "{}" : "}";
            break;
        }
        case Json::value_t::array: {
            char before = '[';
            for (const Json& one : value) {
                out += std::exchange(before, ',');
                append_json(out, one);
            }
            out += before == '[' ? "[]" : "]";
            break;
        }
        case Json::value_t::string:
            append_text(out, value.get_ref<const std::string&>());
            break;
        case Json::value_t::boolean:
            out += value.get<bool>() ? "true" : "false";
            break;
        case Json::value_t::null:
            out += "null";
            break;
        case Json::value_t::number_integer:
            append_number(out, value.get<std::int64_t>());
            break;
        case Json::value_t::number_unsigned:
            append_number(out, value.get<std::uint64_t>());
            break;
        default:
            out += dump_slowly(value);
    }
}

}  // namespace

Result<Json> parse_json(std::string_view text, const JsonLimits& limits) {
    if (text.size() > limits.bytes_max) {
        return Error(
            Code::payload_too_large,
            "the JSON text has " + std::to_string(text.size()) + " bytes, the limit is " +
                std::to_string(limits.bytes_max)
        );
    }
    // The package takes a zero byte for the end of the text, whatever stands behind it.
    if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
        return Error(Code::bad_request, "not JSON: a zero byte" + place_of(text, zero));
    }
    LimitedBuilder builder(limits);
    if (Json::sax_parse(text.begin(), text.end(), &builder)) {
        return builder.take();
    }
    Error error = builder.error();
    if (builder.position() > 0) {
        error.message += place_of(text, builder.position() - 1);
    }
    return error;
}

Json json_object(std::size_t members) {
    Json out = Json::object();
    out.get_ref<Json::object_t&>().reserve(members);
    return out;
}

std::string dump_json(const Json& value) {
    std::string out;
    append_json(out, value);
    return out;
}

std::string dump_json_pretty(const Json& value) {
    return value.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string canonical_json(const Json& value) {
    std::string out;
    append_canonical_json(out, value);
    return out;
}

void append_canonical_json(std::string& out, const Json& value) {
    if (value.is_object()) {
        std::vector<std::pair<std::string_view, const Json*>> members;
        members.reserve(value.size());
        for (const auto& [key, member] : value.items()) {
            members.emplace_back(key, &member);
        }
        std::ranges::sort(members, {}, [](const auto& member) { return member.first; });
        out += '{';
        for (std::size_t i = 0; i < members.size(); ++i) {
            out += i > 0 ? "," : "";
            append_json_string(out, members[i].first);
            out += ':';
            append_canonical_json(out, *members[i].second);
        }
        out += '}';
    } else if (value.is_array()) {
        out += '[';
        for (std::size_t i = 0; i < value.size(); ++i) {
            out += i > 0 ? "," : "";
            append_canonical_json(out, value[i]);
        }
        out += ']';
    } else if (value.is_string()) {
        append_json_string(out, value.get_ref<const std::string&>());
    } else {
        out += dump_json(value);
    }
}

void append_json_string(std::string& out, std::string_view text) {
    if (!is_utf8(text)) {
        append_json_string(out, sanitize_utf8(text));
        return;
    }
    out += '"';
    if (!needs_escape(text)) {
        out += text;
    } else {
        constexpr std::string_view kDigits = "0123456789abcdef";
        for (const char c : text) {
            const auto b = static_cast<unsigned char>(c);
            switch (c) {
                case '"':
                    out += "\\\"";
                    break;
                case '\\':
                    out += "\\\\";
                    break;
                case '\n':
                    out += "\\n";
                    break;
                case '\r':
                    out += "\\r";
                    break;
                case '\t':
                    out += "\\t";
                    break;
                default:
                    if (b < 0x20) {
                        out += "\\u00";
                        out += kDigits[b >> 4];
                        out += kDigits[b & 15];
                    } else {
                        out += c;
                    }
            }
        }
    }
    out += '"';
}

}  // namespace lab
