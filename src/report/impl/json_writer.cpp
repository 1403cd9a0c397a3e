#include "report/impl/json_writer.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace lab::report {

std::string number_text(double number) {
    return std::isfinite(number) ? format_double(number) : "null";
}

void JsonWriter::new_line() {
    if (pretty_) {
        out_.buffer() += '\n';
        out_.buffer().append(2 * filled_.size(), ' ');
    }
}

void JsonWriter::separate() {
    if (after_key_) {
        after_key_ = false;
        return;
    }
    if (filled_.empty()) {
        return;
    }
    if (filled_.back()) {
        out_.buffer() += ',';
    }
    filled_.back() = true;
    new_line();
}

void JsonWriter::raw(std::string_view text) {
    separate();
    out_ << text;
}

void JsonWriter::open(char bracket) {
    raw({&bracket, 1});
    filled_.push_back(false);
}

void JsonWriter::close(char bracket) {
    const bool filled = filled_.back();
    filled_.pop_back();
    if (filled) {
        new_line();
    }
    out_ << std::string_view(&bracket, 1);
}

void JsonWriter::key(std::string_view name) {
    separate();
    append_json_string(out_.buffer(), name);
    out_ << (pretty_ ? ": " : ":");
    after_key_ = true;
}

void JsonWriter::value(std::string_view text) {
    separate();
    append_json_string(out_.buffer(), text);
    out_.settle();
}

void JsonWriter::value(double number) { raw(number_text(number)); }

void JsonWriter::value(std::int64_t number) { raw(std::to_string(number)); }

void JsonWriter::value(bool flag) { raw(flag ? "true" : "false"); }

void JsonWriter::null() { raw("null"); }

void JsonWriter::value(const Json& tree) {
    switch (tree.type()) {
        case Json::value_t::object:
            begin_object();
            for (const auto& [name, child] : tree.items()) {
                member(name, child);
            }
            end_object();
            return;
        case Json::value_t::array:
            begin_array();
            for (const Json& child : tree) {
                value(child);
            }
            end_array();
            return;
        case Json::value_t::string:
            value(std::string_view(tree.get_ref<const std::string&>()));
            return;
        case Json::value_t::boolean:
            value(tree.get<bool>());
            return;
        case Json::value_t::number_integer:
            value(tree.get<std::int64_t>());
            return;
        case Json::value_t::number_unsigned:
            raw(std::to_string(tree.get<std::uint64_t>()));
            return;
        case Json::value_t::number_float:
            value(tree.get<double>());
            return;
        case Json::value_t::null:
        case Json::value_t::binary:
        case Json::value_t::discarded:
            break;
    }
    null();
}

}  // namespace lab::report
