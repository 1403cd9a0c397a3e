#include "api/lists.h"
#include "base/text.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_file.h"
#include "platform/data/row_reader.h"

#include <nlohmann/json.hpp>

#include <array>
#include <set>

namespace {
using namespace lab;
using fuzz::require;

struct Rows {
    std::vector<DataRow> rows;
    std::size_t errors = 0;
};

Rows read(std::string_view text, const std::string& format) {
    const fuzz::MemoryFile file(text);
    Rows out;
    const auto reader = open_rows(file.path(), format);
    if (!reader) {
        require(!reader.error().message.empty(), "a refusal says why");
        out.errors = 1;
        return out;
    }
    std::size_t asked = 0;
    DataRow row;
    while (!(*reader)->broken()) {
        require(++asked <= text.size() + 2, "a file ends");
        const auto more = (*reader)->next(row);
        if (!more) {
            require(!more.error().message.empty(), "an error says what is wrong");
            require(is_utf8(more.error().message), "a message is UTF-8");
            ++out.errors;
            continue;
        }
        if (!*more) {
            break;
        }
        require(row.value.is_object(), "a row is an object");
        require(is_utf8(canonical_json(row.value)), "a row is UTF-8");
        require(row.line >= (out.rows.empty() ? 1 : out.rows.back().line), "rows come in order");
        out.rows.push_back(row);
    }
    return out;
}

bool same(const Rows& a, const Rows& b) {
    return std::ranges::equal(a.rows, b.rows, {}, &DataRow::value, &DataRow::value);
}

/// Line by line with the other reader of the house.
void check_lines(std::string_view text, const Rows& read) {
    std::vector<Json> expected;
    if (text.starts_with("\xEF\xBB\xBF")) {
        text.remove_prefix(3);
    }
    while (!text.empty()) {
        const std::string_view line = trim_ascii(fuzz::take_until(text, '\n'));
        const auto value = parse_json(line);
        if (value && value->is_object()) {
            expected.push_back(*value);
        }
    }
    require(
        std::ranges::equal(read.rows, expected, {}, &DataRow::value), "each line is a JSON text"
    );
}

/// The rows are those that the whole text has, where it is JSON.
void check_array(std::string_view text, const Rows& found) {
    const auto whole = parse_json(text);
    if (!whole) {
        // Members of one name, and depth, are looked at in a row alone.
        const Error& error = whole.error();
        const bool is_of_rows =
            error.code == Code::payload_too_large || error.message.contains("is repeated");
        require(found.errors > 0 || is_of_rows, "what is no JSON is refused");
        return;
    }
    const Json* rows = whole->is_array() ? &*whole : nullptr;
    std::size_t arrays = 0;
    if (whole->is_object()) {
        for (const auto& [name, value] : whole->items()) {
            arrays += value.is_array() ? 1 : 0;
            rows = value.is_array() ? &value : rows;
        }
        require(arrays == 1 || found.errors > 0, "it is known which array has the rows");
    }
    require(rows != nullptr || found.errors > 0, "what has no array is refused");
    if (rows != nullptr && arrays <= 1) {
        std::vector<Json> expected;
        std::ranges::copy_if(*rows, std::back_inserter(expected), [](const Json& row) {
            return row.is_object();
        });
        require(
            std::ranges::equal(found.rows, expected, {}, &DataRow::value), "an array has its rows"
        );
    }
}

/// Our own exports read back.
void check_export(const Rows& read_before) {
    std::vector<std::string> names;
    for (const auto& [name, value] : read_before.rows.front().value.items()) {
        names.push_back(name);
    }
    // What a spreadsheet would take for a formula gets a ' in front, and reads back with it.
    const auto is_plain = [](const std::string& text) {
        return text.empty() || !std::string_view("=+-@\t\r").contains(text.front());
    };
    std::string text = api::csv_line(names);
    for (const DataRow& row : read_before.rows) {
        std::vector<std::string> cells;
        for (const std::string& name : names) {
            cells.push_back(row.value.at(name).get<std::string>());
        }
        if (!std::ranges::all_of(cells, is_plain)) {
            return;
        }
        text += api::csv_line(cells);
    }
    if (std::ranges::all_of(names, is_plain)) {
        const Rows again = read(text, "csv");
        require(again.errors == 0 && same(again, read_before), "what is exported reads back");
    }
}
}  // namespace

// Data files of every format: rows are objects in UTF-8, lines go up, the file ends; JSONL is what
// the JSON reader makes of its lines, and CSV reads back when it is written again.
FUZZ_TARGET(rows) {
    static constexpr std::array kFormats{"jsonl", "json", "csv", "tsv", "text"};
    std::string_view text = input;
    const std::string format = kFormats.at(fuzz::take_choice(text) % kFormats.size());
    const Rows found = read(text, format);
    require(same(read(text, format), found), "a file is the same twice");
    if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
        require(found.rows.empty() && found.errors > 0, "UTF-16 is refused");
    } else if (format == "jsonl") {
        check_lines(text, found);
    } else if (format == "csv" && found.errors == 0 && !found.rows.empty()) {
        check_export(found);
    } else if (format == "json") {
        check_array(text, found);
    }
}
