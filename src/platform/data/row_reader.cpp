#include "platform/data/row_reader.h"

#include "base/text.h"
#include "platform/data/impl/byte_source.h"
#include "platform/data/impl/readers.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <filesystem>

namespace lab {

Result<std::string> data_format_of_path(const std::string& path) {
    const std::string extension = to_lower(std::filesystem::path(path).extension().string());
    if (extension == ".jsonl" || extension == ".ndjson") {
        return std::string("jsonl");
    }
    if (extension == ".tab") {
        return std::string("tsv");
    }
    if (extension == ".parquet") {
        return extension.substr(1);
    }
    if (extension == ".json" || extension == ".csv" || extension == ".tsv") {
        return extension.substr(1);
    }
    return Error(
        Code::validation,
        "cannot tell the format of " + path +
            " from its name: set the format to jsonl, json, csv, tsv, parquet or text"
    );
}

Result<std::unique_ptr<RowReader>> open_rows(const std::string& path, const std::string& format) {
    LAB_TRY(data::ByteSource source, data::ByteSource::open(path));
    if (format == "jsonl") {
        return data::make_jsonl_reader(std::move(source));
    }
    if (format == "json") {
        return data::make_json_reader(std::move(source));
    }
    if (format == "csv") {
        return data::make_csv_reader(std::move(source), ',');
    }
    if (format == "text") {
        return data::make_text_reader(std::move(source));
    }
    if (format == "tsv") {
        return data::make_csv_reader(std::move(source), '\t');
    }
    return Error(
        Code::validation,
        "\"" + format + "\" is not a format; the formats are jsonl, json, csv, tsv, parquet, text"
    );
}

namespace data {
namespace {

/// parse_json counts lines and columns within the row. The line becomes the file's, and the column
/// stays where the row begins with its line.
Error located(const Error& error, std::int64_t line, bool whole_line) {
    std::string message = error.message;
    std::int64_t row_line = 1;
    std::int64_t column = 0;
    const std::size_t tail = message.rfind(" (line ");
    if (tail != std::string::npos &&
        std::sscanf(
            message.c_str() + tail, " (line %" SCNd64 ", column %" SCNd64 ")", &row_line, &column
        ) == 2) {
        message.resize(tail);
    }
    const bool known = column > 0 && (whole_line || row_line > 1);
    return Error(
        Code::validation,
        "line " + std::to_string(line + row_line - 1) + ": " + message +
            (known ? " (column " + std::to_string(column) + ")" : "")
    );
}

std::string_view kind_of(const Json& value) {
    switch (value.type()) {
        case Json::value_t::null:
            return "null";
        case Json::value_t::boolean:
            return "true or false";
        case Json::value_t::string:
            return "a text";
        case Json::value_t::array:
            return "an array";
        default:
            return "a number";
    }
}

}  // namespace

Result<Json> parse_row(std::string_view text, std::int64_t line, bool whole_line) {
    if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
        const auto above = std::ranges::count(text.substr(0, bad), '\n');
        return at_line(
            line + above, "invalid UTF-8 at byte " + std::to_string(bad + 1) + " of the row"
        );
    }
    auto parsed = parse_json(text, {.bytes_max = RowReader::kRowBytesMax});
    if (!parsed) {
        return located(parsed.error(), line, whole_line);
    }
    if (!parsed->is_object()) {
        return at_line(line, "a row is a JSON object, this is " + std::string(kind_of(*parsed)));
    }
    return std::move(*parsed);
}

}  // namespace data
}  // namespace lab
