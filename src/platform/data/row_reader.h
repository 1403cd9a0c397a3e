#pragma once
#include "base/result.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lab {

/// One row of a data file.
struct DataRow {
    Json value;             ///< an object; CSV and TSV cells are text
    std::int64_t line = 0;  ///< 1-based line its text begins on
};

/// Streams the rows of a file in constant memory: at most one row, at most kRowBytesMax of text.
class RowReader {
  public:
    static constexpr std::size_t kRowBytesMax = 16U << 20;

    virtual ~RowReader() = default;
    /// false = no more rows. A bad row (not valid, not an object, invalid UTF-8, wrong number of
    /// cells) is Error validation with the message "line 12: ..."; the reader stands behind it and
    /// may be asked again unless broken(). A row beyond the limit and a failing disk end the file.
    virtual Result<bool> next(DataRow& row) = 0;
    /// Nothing more can be read after the last error.
    virtual bool broken() const = 0;
};

/// jsonl, json, csv, tsv, parquet, text. Errors: validation naming the formats.
Result<std::string> data_format_of_path(const std::string& path);

/// JSONL: one object a line, split on LF only (a CR before it is dropped), empty lines skipped.
/// JSON: an array of objects, or an object with exactly one array member, which is taken.
/// CSV, TSV: RFC 4180 (quotes, doubled quotes, line breaks inside quotes), first row names the
/// columns, at most 4096; a line ends with LF, CRLF or CR. All: UTF-8, a byte order mark is
/// skipped. Text: {"text": line} for each line that is not empty. Parquet is read by open_parquet
/// (parquet_reader.h). Errors: not_found, io, validation.
Result<std::unique_ptr<RowReader>> open_rows(const std::string& path, const std::string& format);

}  // namespace lab
