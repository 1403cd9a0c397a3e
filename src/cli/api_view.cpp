#include "cli/api_view.h"

#include "base/text.h"

#include <algorithm>

namespace lab::cli {
namespace {

constexpr std::size_t kColumnMin = 8;
constexpr std::size_t kUuidLength = 36;

const Json* find_member(const Json& object, std::string_view member) {
    const Json* at = &object;
    for (const std::string_view name : split(member, '.')) {
        if (!at->is_object()) {
            return nullptr;
        }
        const auto found = at->find(std::string(name));
        if (found == at->end()) {
            return nullptr;
        }
        at = &*found;
    }
    return at;
}

std::string text_of(const Json& value) {
    if (value.is_null()) {
        return "-";
    }
    if (value.is_string()) {
        return value.get<std::string>();
    }
    const bool plain_list = value.is_array() && std::ranges::none_of(value, [](const Json& one) {
                                return one.is_structured();
                            });
    if (!plain_list) {
        return dump_json(value);
    }
    std::vector<std::string> parts;
    for (const Json& one : value) {
        parts.push_back(text_of(one));
    }
    return join(parts, ",");
}

/// Without quotes where YAML of any version reads a text.
std::string yaml_key(const std::string& name) {
    static const std::vector<std::string> kOtherThings{
        "true", "false", "null", "yes", "no", "on", "off", "y", "n"
    };
    const bool plain = !name.empty() && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
    });
    return plain && std::ranges::find(kOtherThings, to_lower(name)) == kOtherThings.end()
               ? name
               : dump_json(Json(name));
}

void append_yaml(std::string& out, const Json& value, int depth, bool in_list) {
    const std::string lead(static_cast<std::size_t>(depth) * 2, ' ');
    const auto child = [&](const Json& one) {
        if (one.is_structured() && !one.empty()) {
            out += '\n';
            append_yaml(out, one, depth + 1, false);
        } else {
            out += ' ' + dump_json(one) + '\n';
        }
    };
    bool first = true;
    if (value.is_object()) {
        for (const auto& [name, one] : value.items()) {
            out += in_list && first ? "" : lead;
            first = false;
            out += yaml_key(name);
            out += ':';
            child(one);
        }
        return;
    }
    for (const Json& one : value) {
        out += in_list && first ? "" : lead;
        first = false;
        out += '-';
        if (one.is_structured() && !one.empty()) {
            out += ' ';
            append_yaml(out, one, depth + 1, true);
        } else {
            out += ' ' + dump_json(one) + '\n';
        }
    }
}

Table table_of(const Json& rows, const Columns& columns, bool bare) {
    Table table;
    for (const Column& column : columns) {
        table.columns.emplace_back(column.title);
        table.numeric.push_back(column.numeric);
    }
    for (const Json& row : rows) {
        std::vector<std::string> cells;
        for (const Column& column : columns) {
            std::string cell = cell_of(row, column.member);
            cells.push_back(bare && cell == "-" ? "" : std::move(cell));
        }
        table.rows.push_back(std::move(cells));
    }
    return table;
}

/// A page says how much there is beyond it.
void tell_of_rest(const Console& console, const Json& answer) {
    const Json* page = find_member(answer, "pagination");
    if (page == nullptr || !page->is_object() || !page->value("has_more", false)) {
        return;
    }
    const auto shown = static_cast<std::int64_t>(answer["data"].size());
    const std::int64_t offset = page->value("offset", std::int64_t{0});
    const std::string total =
        page->contains("total") ? " of " + dump_json((*page)["total"]) : std::string();
    note(
        console,
        std::to_string(offset + 1) + " to " + std::to_string(offset + shown) + total +
            "; the next: --offset " + std::to_string(offset + shown)
    );
}

Status print_object(const Console& console, const std::string& format, const Json& object) {
    constexpr std::size_t kNestedMax = 240;
    std::vector<Field> fields;
    bool cut = false;
    for (const auto& [name, value] : object.items()) {
        const bool bare = value.is_null() && (format == "csv" || format == "compact");
        std::string text = bare ? "" : text_of(value);
        if (format == "table" && value.is_structured() && text.size() > kNestedMax) {
            text = shorten(text, kNestedMax);
            cut = true;
        }
        fields.push_back({name, std::move(text), false});
    }
    LAB_CHECK(print_fields(console, fields, format));
    if (cut) {
        note(console, "long members are cut: -o json or -o yaml shows all of them");
    }
    return ok();
}

}  // namespace

std::string cell_of(const Json& object, std::string_view member) {
    const Json* found = find_member(object, member);
    return found == nullptr ? "-" : text_of(*found);
}

std::string to_yaml(const Json& value) {
    if (!value.is_structured() || value.empty()) {
        return dump_json(value) + "\n";
    }
    std::string out;
    append_yaml(out, value, 0, false);
    return out;
}

void fit_to_width(Table& table, int width) {
    std::vector<std::size_t> widths;
    std::vector<bool> fixed;
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
        std::size_t most = count_code_points(table.columns[c]);
        bool whole = !table.numeric.empty() && table.numeric[c];
        for (const auto& row : table.rows) {
            most = std::max(most, count_code_points(row[c]));
            whole = whole || row[c].size() == kUuidLength;
        }
        widths.push_back(most);
        fixed.push_back(whole || most <= kColumnMin);
    }
    const auto sum = [&] {
        std::size_t all = 2 * (widths.size() - 1);
        for (const std::size_t one : widths) {
            all += one;
        }
        return all;
    };
    while (!widths.empty() && sum() > static_cast<std::size_t>(std::max(width, 1))) {
        std::size_t widest = widths.size();
        for (std::size_t c = 0; c < widths.size(); ++c) {
            if (!fixed[c] && widths[c] > kColumnMin &&
                (widest == widths.size() || widths[c] > widths[widest])) {
                widest = c;
            }
        }
        if (widest == widths.size()) {
            break;
        }
        --widths[widest];
    }
    for (auto& row : table.rows) {
        for (std::size_t c = 0; c < row.size(); ++c) {
            if (count_code_points(row[c]) > widths[c]) {
                const std::u32string points = to_code_points(row[c]);
                row[c] = to_utf8(std::u32string_view(points).substr(0, widths[c] - 1)) + "…";
            }
        }
    }
}

Status print_answer(
    const Console& console, const std::string& format, const Json& answer, const Columns& columns
) {
    if (answer.is_null()) {
        return ok();
    }
    if (format == "json") {
        return write_all(console.out, dump_json_pretty(answer) + "\n");
    }
    if (format == "yaml") {
        return write_all(console.out, to_yaml(answer));
    }
    const bool page = answer.is_object() && answer.contains("data") && answer["data"].is_array();
    const bool lines = format == "compact" || format == "csv";
    if (!page && !answer.is_array() && (!lines || columns.empty())) {
        return answer.is_object() ? print_object(console, format, answer)
                                  : write_all(console.out, text_of(answer) + "\n");
    }
    const Json rows = page ? answer["data"] : answer.is_array() ? answer : Json::array({answer});
    Columns shown = columns;
    if (shown.empty() && !rows.empty() && rows.front().is_object()) {
        for (const auto& [name, value] : rows.front().items()) {
            shown.push_back({.title = name, .member = name, .numeric = value.is_number()});
        }
    }
    Table table = table_of(rows, shown, lines);
    if (format == "table" && console.out_is_terminal) {
        fit_to_width(table, console.width);
    }
    LAB_CHECK(print_table(console, table, format));
    if (page) {
        tell_of_rest(console, answer);
    }
    return ok();
}

}  // namespace lab::cli
