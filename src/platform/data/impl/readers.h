#pragma once
#include "platform/data/impl/byte_source.h"
#include "platform/data/row_reader.h"

#include <memory>

namespace lab::data {

std::unique_ptr<RowReader> make_jsonl_reader(ByteSource source);
std::unique_ptr<RowReader> make_text_reader(ByteSource source);
std::unique_ptr<RowReader> make_json_reader(ByteSource source);
std::unique_ptr<RowReader> make_csv_reader(ByteSource source, char separator);

/// A row's text as an object. Errors: validation with the line; with the column too where it can be
/// known: `whole_line` says that the text begins where its line does.
Result<Json> parse_row(std::string_view text, std::int64_t line, bool whole_line);

}  // namespace lab::data
