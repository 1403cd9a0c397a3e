#include "base/text.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_file.h"
#include "platform/data/impl/duckdb_library.h"
#include "platform/data/parquet_reader.h"

#include <nlohmann/json.hpp>

#include <cstring>
#include <memory>
#include <vector>

namespace {
using namespace lab;
using data::Duckdb;
using data::DuckdbHandle;
using data::DuckdbResult;
using data::DuckdbState;
using data::DuckdbText;
using fuzz::require;

/// One chunk of rows as DuckDB hands it out: texts short enough stand in their place, the others
/// are pointed to; which rows are there is told by a mask, or by none when all are.
struct Chunk {
    std::vector<std::string> texts;
    std::vector<DuckdbText> column;
    std::vector<std::uint64_t> mask;
};

/// A library of DuckDB's interface that says what the input wants, and counts what it has lent.
struct FakeDuckdb {
    int fails_at = -1;  ///< the step that fails, counted from 0
    int step = 0;
    int lent = 0;
    std::string path;     ///< what it was told to read
    std::string words;    ///< of errors
    bool breaks = false;  ///< behind the last chunk, instead of ending
    std::vector<std::unique_ptr<Chunk>> chunks;
    std::size_t next = 0;

    DuckdbState take_step() { return step++ == fails_at ? 1 : data::kDuckdbSuccess; }
    /// Statements are to be given back though they failed: they hold the error.
    DuckdbState lend(DuckdbHandle* handle, bool also_when_it_fails = false) {
        const DuckdbState state = take_step();
        if (state == data::kDuckdbSuccess || also_when_it_fails) {
            *handle = this;
            ++lent;
        }
        return state;
    }
    void take_back(DuckdbHandle* handle) {
        require(*handle != nullptr, "what is given back was lent");
        *handle = nullptr;
        require(--lent >= 0, "and once");
    }
};

FakeDuckdb* fake = nullptr;

void take_back(DuckdbHandle* handle) { fake->take_back(handle); }
const char* words_of(DuckdbHandle /*of*/) { return fake->words.c_str(); }

Duckdb functions() {
    Duckdb out{};
    out.create_config = [](DuckdbHandle* config) { return fake->lend(config); };
    out.set_config = [](DuckdbHandle, const char*, const char*) { return fake->take_step(); };
    out.destroy_config = take_back;
    out.open = [](const char*, DuckdbHandle* database, DuckdbHandle, char** error) {
        const DuckdbState state = fake->lend(database);
        if (state != data::kDuckdbSuccess) {
            *error = ::strdup(fake->words.c_str());
            ++fake->lent;
        }
        return state;
    };
    out.free = [](void* memory) {
        std::free(memory);
        --fake->lent;
    };
    out.close = take_back;
    out.connect = [](DuckdbHandle, DuckdbHandle* connection) { return fake->lend(connection); };
    out.disconnect = take_back;
    out.prepare = [](DuckdbHandle, const char*, DuckdbHandle* statement) {
        return fake->lend(statement, true);
    };
    out.prepare_error = words_of;
    out.destroy_prepare = take_back;
    out.bind_varchar = [](DuckdbHandle, std::uint64_t, const char* path) {
        fake->path = path;
        fake->words = fake->path + fake->words + fake->path;
        return fake->take_step();
    };
    out.pending_streaming = [](DuckdbHandle, DuckdbHandle* pending) {
        return fake->lend(pending, true);
    };
    out.pending_error = words_of;
    out.execute_pending = [](DuckdbHandle, DuckdbResult*) {
        ++fake->lent;
        return fake->take_step();
    };
    out.destroy_pending = take_back;
    out.result_error = [](DuckdbResult*) -> const char* {
        const bool failed = fake->fails_at >= 0 && fake->step > fake->fails_at;
        const bool at_end = fake->breaks && fake->next > fake->chunks.size();
        return failed || at_end ? fake->words.c_str() : nullptr;
    };
    out.destroy_result = [](DuckdbResult*) {
        require(--fake->lent >= 0, "a result is given back once");
    };
    out.fetch_chunk = [](DuckdbResult) -> DuckdbHandle {
        if (fake->next++ >= fake->chunks.size()) {
            return nullptr;
        }
        ++fake->lent;
        return fake->chunks[fake->next - 1].get();
    };
    out.destroy_chunk = take_back;
    out.chunk_size = [](DuckdbHandle chunk) -> std::uint64_t {
        return static_cast<Chunk*>(chunk)->column.size();
    };
    out.chunk_vector = [](DuckdbHandle chunk, std::uint64_t) { return chunk; };
    out.vector_data = [](DuckdbHandle chunk) -> void* {
        return static_cast<Chunk*>(chunk)->column.data();
    };
    out.vector_validity = [](DuckdbHandle chunk) -> std::uint64_t* {
        auto& mask = static_cast<Chunk*>(chunk)->mask;
        return mask.empty() ? nullptr : mask.data();
    };
    return out;
}

/// Lines are rows, "~" one that is not there, an empty line ends a chunk.
std::vector<std::unique_ptr<Chunk>> chunks_of(std::string_view text) {
    std::vector<std::unique_ptr<Chunk>> out;
    while (!text.empty()) {
        auto chunk = std::make_unique<Chunk>();
        std::vector<bool> is_there;
        while (!text.empty()) {
            const std::string_view line = fuzz::take_until(text, '\n');
            if (line.empty()) {
                break;
            }
            is_there.push_back(line != "~");
            chunk->texts.emplace_back(line);
        }
        if (chunk->texts.empty()) {
            continue;
        }
        for (std::string& one : chunk->texts) {
            DuckdbText cell{};
            cell.length = static_cast<std::uint32_t>(one.size());
            if (one.size() <= 12) {
                std::memcpy(
                    reinterpret_cast<char*>(&cell) + sizeof cell.length, one.data(), one.size()
                );
            } else {
                cell.pointer = one.data();
            }
            chunk->column.push_back(cell);
        }
        if (std::ranges::find(is_there, false) != is_there.end()) {
            chunk->mask.resize(is_there.size() / 64 + 1);
            for (std::size_t i = 0; i < is_there.size(); ++i) {
                chunk->mask[i / 64] |= std::uint64_t{is_there[i]} << (i % 64);
            }
        }
        out.push_back(std::move(chunk));
    }
    return out;
}

void check_error(const Error& error) {
    require(!error.message.empty() && error.message.size() <= 1024, "an error says why");
    require(is_utf8(error.message), "an error is UTF-8");
}

/// Every row once, in its order: what is a JSON object is read, every other row is an error.
void check_rows(RowReader& reader) {
    std::int64_t number = 0;
    DataRow row;
    for (const auto& chunk : fake->chunks) {
        for (const std::string& text : chunk->texts) {
            ++number;
            const auto more = reader.next(row);
            const auto expected = parse_json(text);
            const bool is_row = text != "~" && expected && expected->is_object();
            require(more.has_value() == is_row, "a row is a JSON object");
            require(!reader.broken(), "a bad row does not end the file");
            if (!more) {
                check_error(more.error());
                require(more.error().message.contains(std::to_string(number)), "it says which row");
                continue;
            }
            require(*more && row.line == number, "rows have numbers");
            require(row.value == *expected, "a row is what the text says");
        }
    }
    const auto end = reader.next(row);
    require(end.has_value() != fake->breaks && reader.broken() == fake->breaks, "a file ends");
    if (end) {
        require(!*end && !reader.next(row).value_or(true), "the end stays the end");
    } else {
        check_error(end.error());
    }
}
}  // namespace

// The part of reading Parquet that is ours, which is all but the format: DuckDB's library reads it,
// and stands here as one that says what the input wants. The first byte chooses whether the file
// has its marks (1, 2) and whether it breaks off (4), the second which step fails (0-15), then come
// the words of its errors to a NUL, and its rows. Whatever happens, each row comes once, and all
// that was lent is given back.
FUZZ_TARGET(parquet_rows) {
    std::string_view text = input;
    const unsigned choice = fuzz::take_choice(text);
    FakeDuckdb duckdb;
    const auto step = static_cast<int>(fuzz::take_choice(text));
    duckdb.fails_at = step < 16 ? step : -1;
    duckdb.breaks = (choice & 4U) != 0;
    duckdb.words = std::string(fuzz::take_until(text, '\0')) + "!";
    duckdb.chunks = chunks_of(text);
    fake = &duckdb;
    const std::string body = std::string((choice & 1U) != 0 ? "" : "PAR1") + "1234" +
                             std::string((choice & 2U) != 0 ? "" : "PAR1");
    const fuzz::MemoryFile file(body);
    bool is_asked = false;
    {
        const auto reader = data::read_parquet(file.path(), [&]() -> Result<Duckdb> {
            is_asked = true;
            return functions();
        });
        require(is_asked == ((choice & 3U) == 0), "only what looks like Parquet is read");
        const bool fails = duckdb.fails_at >= 0 && duckdb.step > duckdb.fails_at;
        require(reader.has_value() == (is_asked && !fails), "a step that fails ends it");
        if (reader) {
            check_rows(**reader);
        } else {
            check_error(reader.error());
            const std::string& message = reader.error().message;
            require(
                duckdb.path.empty() || !message.contains(duckdb.path), "no path of ours is told"
            );
        }
    }
    require(duckdb.lent == 0, "all is given back");
    fake = nullptr;
}
