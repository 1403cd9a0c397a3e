#pragma once
#include "base/result.h"
#include "platform/data/row_reader.h"

#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

/// The handful of functions of DuckDB's C API (duckdb.h, 1.x) that reading Parquet takes, found in
/// a library that is loaded while the program runs.
namespace lab::data {

using DuckdbHandle = void*;  ///< all handles of the API are pointers to something of its own
using DuckdbState = int;
inline constexpr DuckdbState kDuckdbSuccess = 0;

/// duckdb_result, which is passed by value.
struct DuckdbResult {
    std::uint64_t column_count;
    std::uint64_t row_count;
    std::uint64_t rows_changed;
    void* columns;
    char* error_message;
    void* internal_data;
};
/// duckdb_string_t: up to 12 bytes stand where the pointer is otherwise.
struct DuckdbText {
    std::uint32_t length;
    char prefix[4];
    char* pointer;
};
inline std::string_view text_of(const DuckdbText& text) {
    constexpr std::uint32_t kInlined = 12;
    const char* const bytes = text.length <= kInlined ? text.prefix : text.pointer;
    return {bytes, text.length};
}

struct Duckdb {
    DuckdbState (*create_config)(DuckdbHandle* config);
    DuckdbState (*set_config)(DuckdbHandle config, const char* name, const char* value);
    void (*destroy_config)(DuckdbHandle* config);
    DuckdbState (*open)(
        const char* path, DuckdbHandle* database, DuckdbHandle config, char** error
    );
    void (*free)(void* memory);
    void (*close)(DuckdbHandle* database);
    DuckdbState (*connect)(DuckdbHandle database, DuckdbHandle* connection);
    void (*disconnect)(DuckdbHandle* connection);
    DuckdbState (*prepare)(DuckdbHandle connection, const char* sql, DuckdbHandle* statement);
    const char* (*prepare_error)(DuckdbHandle statement);
    void (*destroy_prepare)(DuckdbHandle* statement);
    DuckdbState (*bind_varchar)(DuckdbHandle statement, std::uint64_t index, const char* value);
    DuckdbState (*pending_streaming)(DuckdbHandle statement, DuckdbHandle* pending);
    const char* (*pending_error)(DuckdbHandle pending);
    DuckdbState (*execute_pending)(DuckdbHandle pending, DuckdbResult* result);
    void (*destroy_pending)(DuckdbHandle* pending);
    const char* (*result_error)(DuckdbResult* result);
    void (*destroy_result)(DuckdbResult* result);
    DuckdbHandle (*fetch_chunk)(DuckdbResult result);
    void (*destroy_chunk)(DuckdbHandle* chunk);
    std::uint64_t (*chunk_size)(DuckdbHandle chunk);
    DuckdbHandle (*chunk_vector)(DuckdbHandle chunk, std::uint64_t column);
    void* (*vector_data)(DuckdbHandle vector);
    std::uint64_t* (*vector_validity)(DuckdbHandle vector);
};

/// `path`: of the library; empty = the usual places. Loaded once, it stays until the process ends.
/// Errors: unavailable.
Result<Duckdb> load_duckdb(const std::string& path);

/// As open_parquet, with the functions that `load` gives; it is asked when the file looks like one.
Result<std::unique_ptr<RowReader>> read_parquet(
    const std::string& path, const std::function<Result<Duckdb>()>& load
);

}  // namespace lab::data
