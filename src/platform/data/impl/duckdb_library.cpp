#include "platform/data/impl/duckdb_library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <vector>

namespace lab::data {
namespace {

namespace fs = std::filesystem;

/// "libduckdb.so" alone is looked for where the system keeps libraries.
std::vector<std::string> usual_places() {
    std::vector<std::string> out;
    std::error_code code;
    const fs::path program = fs::read_symlink("/proc/self/exe", code);
    if (!code) {
        const fs::path folder = program.parent_path();
        out.push_back((folder / "libduckdb.so").string());
        out.push_back((folder.parent_path() / "lib/llm-research/libduckdb.so").string());
    }
    out.emplace_back("libduckdb.so");
    return out;
}

Error missing(const std::string& why) {
    Error out(
        Code::unavailable,
        "Parquet needs DuckDB's library (libduckdb.so 1.x), which is not there: set "
        "LAB_DUCKDB_LIBRARY to its path, or convert the file to JSONL and import that"
    );
    out.cause = why;
    return out;
}

template <class Function>
bool find(void* library, const char* name, Function& function) {
    void* const found = ::dlsym(library, name);
    static_assert(sizeof found == sizeof function);
    std::memcpy(&function, &found, sizeof found);
    return found != nullptr;
}

bool find_all(void* library, Duckdb& out) {
    return find(library, "duckdb_create_config", out.create_config) &&
           find(library, "duckdb_set_config", out.set_config) &&
           find(library, "duckdb_destroy_config", out.destroy_config) &&
           find(library, "duckdb_open_ext", out.open) && find(library, "duckdb_free", out.free) &&
           find(library, "duckdb_close", out.close) &&
           find(library, "duckdb_connect", out.connect) &&
           find(library, "duckdb_disconnect", out.disconnect) &&
           find(library, "duckdb_prepare", out.prepare) &&
           find(library, "duckdb_prepare_error", out.prepare_error) &&
           find(library, "duckdb_destroy_prepare", out.destroy_prepare) &&
           find(library, "duckdb_bind_varchar", out.bind_varchar) &&
           find(library, "duckdb_pending_prepared_streaming", out.pending_streaming) &&
           find(library, "duckdb_pending_error", out.pending_error) &&
           find(library, "duckdb_execute_pending", out.execute_pending) &&
           find(library, "duckdb_destroy_pending", out.destroy_pending) &&
           find(library, "duckdb_result_error", out.result_error) &&
           find(library, "duckdb_destroy_result", out.destroy_result) &&
           find(library, "duckdb_fetch_chunk", out.fetch_chunk) &&
           find(library, "duckdb_destroy_data_chunk", out.destroy_chunk) &&
           find(library, "duckdb_data_chunk_get_size", out.chunk_size) &&
           find(library, "duckdb_data_chunk_get_vector", out.chunk_vector) &&
           find(library, "duckdb_vector_get_data", out.vector_data) &&
           find(library, "duckdb_vector_get_validity", out.vector_validity);
}

}  // namespace

Result<Duckdb> load_duckdb(const std::string& path) {
    const std::vector<std::string> places = path.empty() ? usual_places() : std::vector{path};
    std::string why;
    for (const std::string& place : places) {
        // Never closed: its threads and static objects do not survive that.
        void* const library = ::dlopen(place.c_str(), RTLD_NOW | RTLD_LOCAL);
        if (library == nullptr) {
            const char* const words = ::dlerror();
            why = words == nullptr ? place : words;
            continue;
        }
        Duckdb out{};
        if (find_all(library, out)) {
            return out;
        }
        why = place + " lacks functions of DuckDB's C API 1.x";
    }
    return missing(why);
}

}  // namespace lab::data
