#include "platform/data/row_reader.h"

#include "base/text.h"
#include "platform/data/impl/byte_source.h"
#include "platform/data/impl/readers.h"

#include <filesystem>

namespace lab {

Result<std::string> data_format_of_path(const std::string& path) {
    const std::string extension = to_lower(std::filesystem::path(path).extension().string());
    if (extension == ".jsonl" || extension == ".ndjson") {
        return std::string("jsonl");
    }
    if (extension == ".json" || extension == ".csv" || extension == ".tsv") {
        return extension.substr(1);
    }
    return Error(
        Code::validation,
        "cannot tell the format of " + path +
            " from its name: set the format to jsonl, json, csv or tsv"
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
    if (format == "tsv") {
        return data::make_csv_reader(std::move(source), '\t');
    }
    return Error(
        Code::validation,
        "\"" + format + "\" is not a format; the formats are jsonl, json, csv, tsv"
    );
}

namespace data {

Result<Json> parse_row(std::string_view text, std::int64_t line) {
    if (const std::size_t bad = find_invalid_utf8(text); bad != std::string_view::npos) {
        return at_line(line, "invalid UTF-8 at byte " + std::to_string(bad + 1) + " of the row");
    }
    auto parsed = parse_json(text, {.bytes_max = RowReader::kRowBytesMax});
    if (!parsed) {
        return at_line(line, parsed.error().message);
    }
    if (!parsed->is_object()) {
        return at_line(line, std::string("a row is a JSON object, this is ") + parsed->type_name());
    }
    return std::move(*parsed);
}

}  // namespace data
}  // namespace lab
