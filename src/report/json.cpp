#include "report/json.h"

#include "base/text.h"
#include "report/format.h"
#include "report/impl/display.h"
#include "report/impl/json_writer.h"
#include "report/tree.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cmath>

namespace lab::report {
namespace {

struct Names {
    std::vector<std::string> metrics;
    std::vector<std::string> scorers;
};

void write_sample(
    JsonWriter& json, const ItemSample& sample, std::string_view variant, const Names& names
) {
    json.begin_object();
    json.member("variant", variant);
    json.member("repetition", std::int64_t{sample.repetition});
    const bool done = sample.present && !sample.failed;
    json.member("state", done ? "done" : sample.present ? "failed" : "not_run");
    if (done) {
        json.member("output", std::string_view(sample.output));
        json.member("finish_reason", std::string_view(sample.finish_reason));
        json.key("scores");
        json.begin_object();
        for (std::size_t m = 0; m < names.metrics.size() && m < sample.scores.size(); ++m) {
            json.member(names.metrics[m], sample.scores[m]);
        }
        json.end_object();
        json.key("extracted");
        json.begin_object();
        for (std::size_t s = 0; s < names.scorers.size() && s < sample.extracted.size(); ++s) {
            if (!sample.extracted[s].empty()) {
                json.member(names.scorers[s], std::string_view(sample.extracted[s]));
            }
        }
        json.end_object();
        json.key("unparsed");
        json.begin_array();
        for (std::size_t s = 0; s < names.scorers.size() && s < sample.parsed.size(); ++s) {
            if (!sample.parsed[s]) {
                json.value(std::string_view(names.scorers[s]));
            }
        }
        json.end_array();
    }
    json.end_object();
}

Status write_items(JsonWriter& json, Out& out, const Report& report, const ItemSource& items) {
    const Names names{metric_keys(report), scorers_of(report)};
    json.key("items");
    json.begin_array();
    LAB_CHECK(items.each([&](const ItemRow& row) {
        json.begin_object();
        json.member("id", std::string_view(row.id));
        json.member("reference", std::string_view(row.reference));
        json.key("samples");
        json.begin_array();
        for (std::size_t v = 0; v < row.samples.size() && v < report.variants.size(); ++v) {
            for (const ItemSample& sample : row.samples[v]) {
                write_sample(json, sample, report.variants[v].id, names);
            }
        }
        json.end_array();
        json.end_object();
        return out.status();
    }));
    json.end_array();
    return ok();
}

// --- YAML ----------------------------------------------------------------------------------------

/// Words that YAML 1.1 or 1.2 readers take for something else than text.
constexpr std::array<std::string_view, 13> kReservedWords = {
    "true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf", "infinity", "none"
};

bool is_plain(std::string_view text) {
    if (text.empty() || text.size() > 100) {
        return false;
    }
    const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
    if (!letter(text.front()) || text.back() == ' ') {
        return false;
    }
    const bool simple = std::ranges::all_of(text, [&](char c) {
        return letter(c) || (c >= '0' && c <= '9') || std::string_view("_-./ ").contains(c);
    });
    return simple && std::ranges::find(kReservedWords, to_lower(text)) == kReservedWords.end();
}

/// Double-quoted with JSON's escapes, which YAML has too; beyond them YAML wants everything that is
/// not printable escaped.
void append_yaml_text(std::string& out, std::string_view text) {
    if (is_plain(text)) {
        out += text;
        return;
    }
    std::string quoted;
    append_json_string(quoted, text);
    for (std::size_t at = 0; at < quoted.size();) {
        const std::size_t begin = at;
        const char32_t c = next_code_point(quoted, at);
        const bool noncharacter = c >= 0xFFFE && c <= 0xFFFF;
        if (c >= 0x7F && (is_unsafe(c) || noncharacter)) {
            out += c > 0xFFFF ? fmt::format("\\U{:08x}", static_cast<std::uint32_t>(c))
                              : fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
        } else {
            out += std::string_view(quoted).substr(begin, at - begin);
        }
    }
}

void append_yaml_scalar(std::string& out, const Json& value) {
    if (value.is_string()) {
        append_yaml_text(out, value.get_ref<const std::string&>());
    } else if (value.is_number_float()) {
        out += number_text(value.get<double>());
    } else {
        out += dump_json(value);
    }
}

bool is_scalar_list(const Json& value) {
    return value.is_array() && std::ranges::all_of(value, [](const Json& child) {
               return child.is_number() || child.is_null();
           });
}

void append_yaml(std::string& out, const Json& value, std::size_t indent);

/// What follows "key:" or "-".
void append_yaml_child(std::string& out, const Json& child, std::size_t indent, bool in_list) {
    if (child.is_structured() && child.empty()) {
        out += child.is_array() ? " []\n" : " {}\n";
    } else if (is_scalar_list(child)) {
        out += " [";
        for (std::size_t i = 0; i < child.size(); ++i) {
            out += i > 0 ? ", " : "";
            append_yaml_scalar(out, child[i]);
        }
        out += "]\n";
    } else if (child.is_structured()) {
        if (in_list && child.is_object()) {
            // The first member stands behind the dash.
            std::string block;
            append_yaml(block, child, indent + 2);
            out += ' ';
            out += std::string_view(block).substr(indent + 2);
        } else {
            out += '\n';
            append_yaml(out, child, indent + 2);
        }
    } else {
        out += ' ';
        append_yaml_scalar(out, child);
        out += '\n';
    }
}

void append_yaml(std::string& out, const Json& value, std::size_t indent) {
    const std::string space(indent, ' ');
    if (value.is_object()) {
        for (const auto& [name, child] : value.items()) {
            out += space;
            append_yaml_text(out, name);
            out += ':';
            append_yaml_child(out, child, indent, false);
        }
    } else {
        for (const Json& child : value) {
            out += space + "-";
            append_yaml_child(out, child, indent, true);
        }
    }
}

}  // namespace

Status write_json(const Report& report, const ItemSource* items, const Sink& sink, bool pretty) {
    const Json tree = report_tree(report);
    Out out(sink);
    JsonWriter json(out, pretty);
    json.begin_object();
    for (const auto& [name, child] : tree.items()) {
        if (name != "results") {
            json.member(name, child);
            continue;
        }
        json.key(name);
        json.begin_object();
        for (const auto& [part, content] : child.items()) {
            json.member(part, content);
        }
        if (items != nullptr) {
            LAB_CHECK(write_items(json, out, report, *items));
        }
        json.end_object();
    }
    json.end_object();
    out << "\n";
    return out.finish();
}

Status write_yaml(const Report& report, const Sink& sink) {
    const Json tree = report_tree(report);
    Out out(sink);
    for (const auto& [name, child] : tree.items()) {
        Json member;
        member[name] = child;
        append_yaml(out.buffer(), member, 0);
        out.settle();
    }
    return out.finish();
}

}  // namespace lab::report
