#include "platform/data/parquet_reader.h"

#include "base/text.h"
#include "platform/data/impl/duckdb_library.h"
#include "platform/data/impl/readers.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace lab {
namespace {

using data::Duckdb;

constexpr std::int64_t kMagicBytes = 4;
constexpr std::int64_t kFileBytesMin = 12;
constexpr std::size_t kWordsMax = 300;

Error not_parquet(std::string_view why) {
    return {Code::validation, "this is no Parquet file that can be read: " + std::string(why)};
}

/// The file, by a descriptor: what DuckDB is given names this file and no other, whatever its path
/// looks like.
class ParquetFile {
  public:
    static Result<ParquetFile> open(const std::string& path) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            return Error(
                errno == ENOENT ? Code::not_found : Code::io,
                "cannot read " + path + ": " + std::generic_category().message(errno)
            );
        }
        ParquetFile out(fd);
        struct stat info{};
        if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
            return Error(Code::io, "cannot read " + path + ": it is no plain file");
        }
        std::array<char, 2 * kMagicBytes> ends{};
        const bool read =
            info.st_size >= kFileBytesMin &&
            ::pread(fd, ends.data(), kMagicBytes, 0) == kMagicBytes &&
            ::pread(fd, ends.data() + kMagicBytes, kMagicBytes, info.st_size - kMagicBytes) ==
                kMagicBytes;
        const std::string_view words(ends.data(), ends.size());
        if (!read || words.substr(0, kMagicBytes) != "PAR1") {
            return not_parquet("it does not begin with PAR1");
        }
        if (words.substr(kMagicBytes) != "PAR1") {
            return not_parquet("it does not end with PAR1, so something is missing");
        }
        return out;
    }
    ParquetFile(ParquetFile&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    ParquetFile& operator=(ParquetFile&&) = delete;
    ~ParquetFile() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

  private:
    explicit ParquetFile(int fd) : fd_(fd) {}
    int fd_;
};

/// DuckDB's own words without our path in them, on one line.
std::string plain_words(const char* words, const std::string& path) {
    std::string out = words == nullptr ? "unknown" : sanitize_utf8(words);
    for (std::size_t at = out.find(path); at != std::string::npos; at = out.find(path)) {
        out.replace(at, path.size(), "the file");
    }
    return shorten(out.substr(0, out.find('\n')), kWordsMax);
}

class ParquetReader final : public RowReader {
  public:
    ParquetReader(Duckdb duckdb, ParquetFile file)
        : duckdb_(std::move(duckdb)), file_(std::move(file)) {}
    ParquetReader(const ParquetReader&) = delete;
    ParquetReader& operator=(const ParquetReader&) = delete;
    ~ParquetReader() override {
        drop_chunk();
        if (has_result_) {
            duckdb_.destroy_result(&result_);
        }
        if (pending_ != nullptr) {
            duckdb_.destroy_pending(&pending_);
        }
        if (statement_ != nullptr) {
            duckdb_.destroy_prepare(&statement_);
        }
        if (connection_ != nullptr) {
            duckdb_.disconnect(&connection_);
        }
        if (database_ != nullptr) {
            duckdb_.close(&database_);
        }
    }

    Status begin() {
        LAB_CHECK(open_database());
        if (duckdb_.connect(database_, &connection_) != data::kDuckdbSuccess) {
            return Error(Code::io, "DuckDB gives no connection");
        }
        constexpr const char* kSelect =
            "SELECT CAST(to_json(t) AS VARCHAR) FROM read_parquet($1) t";
        const std::string path = file_.path();
        if (duckdb_.prepare(connection_, kSelect, &statement_) != data::kDuckdbSuccess) {
            return not_parquet(plain_words(duckdb_.prepare_error(statement_), path));
        }
        if (duckdb_.bind_varchar(statement_, 1, path.c_str()) != data::kDuckdbSuccess) {
            return Error(Code::io, "DuckDB takes no path");
        }
        // A broken file shows here at the earliest: only now does anybody look at it.
        if (duckdb_.pending_streaming(statement_, &pending_) != data::kDuckdbSuccess) {
            return not_parquet(plain_words(duckdb_.pending_error(pending_), path));
        }
        has_result_ = true;
        if (duckdb_.execute_pending(pending_, &result_) != data::kDuckdbSuccess) {
            return not_parquet(plain_words(duckdb_.result_error(&result_), path));
        }
        return ok();
    }

    Result<bool> next(DataRow& row) override {
        if (broken_ || ended_) {
            return false;
        }
        while (at_ == rows_) {
            LAB_TRY(const bool more, fetch());
            if (!more) {
                ended_ = true;
                return false;
            }
        }
        const std::uint64_t place = at_++;
        row.line = ++number_;
        if (validity_ != nullptr && (validity_[place / 64] >> (place % 64) & 1U) == 0) {
            return data::at_line(number_, "the row is empty");
        }
        const std::string_view text = data::text_of(texts_[place]);
        if (text.size() > kRowBytesMax) {
            broken_ = true;
            return data::at_line(number_, "the row is longer than 16 MiB");
        }
        LAB_TRY(row.value, data::parse_row(text, number_, false));
        return true;
    }

    bool broken() const override { return broken_; }

  private:
    Status open_database() {
        data::DuckdbHandle config = nullptr;
        if (duckdb_.create_config(&config) != data::kDuckdbSuccess) {
            return Error(Code::io, "DuckDB gives no configuration");
        }
        struct Setting {
            const char* name;
            const char* value;
        };
        constexpr Setting kSettings[] = {
            {"threads", "1"},
            {"memory_limit", "512MB"},
            {"temp_directory", ""},
            {"autoinstall_known_extensions", "false"},
            {"autoload_known_extensions", "false"},
            {"allow_community_extensions", "false"},
        };
        bool good = true;
        for (const Setting& one : kSettings) {
            good = good && duckdb_.set_config(config, one.name, one.value) == data::kDuckdbSuccess;
        }
        char* words = nullptr;
        good = good && duckdb_.open(nullptr, &database_, config, &words) == data::kDuckdbSuccess;
        const std::string why = words == nullptr ? "" : ": " + plain_words(words, file_.path());
        if (words != nullptr) {
            duckdb_.free(words);
        }
        duckdb_.destroy_config(&config);
        return good ? ok() : Status(Error(Code::io, "DuckDB does not start" + why));
    }

    void drop_chunk() {
        if (chunk_ != nullptr) {
            duckdb_.destroy_chunk(&chunk_);
        }
        at_ = rows_ = 0;
    }

    Result<bool> fetch() {
        drop_chunk();
        chunk_ = duckdb_.fetch_chunk(result_);
        if (chunk_ == nullptr) {
            const char* const words = duckdb_.result_error(&result_);
            if (words != nullptr && *words != '\0') {
                broken_ = true;
                return data::at_line(
                    number_ + 1, "the file is broken: " + plain_words(words, file_.path())
                );
            }
            return false;
        }
        rows_ = duckdb_.chunk_size(chunk_);
        const data::DuckdbHandle column = duckdb_.chunk_vector(chunk_, 0);
        texts_ = static_cast<const data::DuckdbText*>(duckdb_.vector_data(column));
        validity_ = duckdb_.vector_validity(column);
        return rows_ > 0;
    }

    Duckdb duckdb_;
    ParquetFile file_;
    data::DuckdbHandle database_ = nullptr;
    data::DuckdbHandle connection_ = nullptr;
    data::DuckdbHandle statement_ = nullptr;
    data::DuckdbHandle pending_ = nullptr;
    data::DuckdbResult result_{};
    bool has_result_ = false;
    data::DuckdbHandle chunk_ = nullptr;
    const data::DuckdbText* texts_ = nullptr;
    const std::uint64_t* validity_ = nullptr;
    std::uint64_t rows_ = 0;
    std::uint64_t at_ = 0;
    std::int64_t number_ = 0;
    bool ended_ = false;
    bool broken_ = false;
};

}  // namespace

namespace data {

Result<std::unique_ptr<RowReader>> read_parquet(
    const std::string& path, const std::function<Result<Duckdb>()>& load
) {
    LAB_TRY(ParquetFile file, ParquetFile::open(path));
    LAB_TRY(Duckdb duckdb, load());
    auto reader = std::make_unique<ParquetReader>(std::move(duckdb), std::move(file));
    LAB_CHECK(reader->begin());
    return reader;
}

}  // namespace data

Result<std::unique_ptr<RowReader>> open_parquet(
    const std::string& path, const std::string& library
) {
    return data::read_parquet(path, [&] { return data::load_duckdb(library); });
}

}  // namespace lab
