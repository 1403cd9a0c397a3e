#pragma once
#include "platform/data/row_reader.h"

namespace lab {

/// Streams the rows of a Parquet file as JSON objects with DuckDB's library, which is loaded while
/// the program runs (dlopen), on one thread, with 512 MiB at most, without extensions from outside
/// and without a way to any other file. `library`: path of libduckdb.so 1.x; empty = where the
/// system's libraries are, and lib/llm-research beside the program's folder.
/// DataRow::line is the number of the row, from 1.
/// Errors: unavailable when there is no library, with the way round it (JSONL); not_found, io;
/// validation for what is no Parquet file or a broken one (also in next(), which ends it).
Result<std::unique_ptr<RowReader>> open_parquet(
    const std::string& path, const std::string& library
);

}  // namespace lab
