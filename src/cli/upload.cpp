#include "cli/upload.h"

#include "base/percent.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

namespace lab::cli {
namespace {

constexpr std::uintmax_t kFileBytesMax = 1U << 30;
/// The least that is expected of a connection, so that a large file gets its time.
constexpr std::uintmax_t kBytesPerSecond = 64U << 10;

namespace fs = std::filesystem;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

Error cannot(const std::string& what, int number) {
    return Error(Code::io, "cannot " + what + ": " + std::strerror(number));
}

Error too_large(const std::string& path) {
    return Error(
        Code::payload_too_large, path + " has more than 1 GiB: split it into several datasets"
    );
}

/// A file without a name in the folder for temporary ones: it goes with this process.
Result<File> make_scratch() {
    std::error_code code;
    std::string path = (fs::temp_directory_path(code) / "llm-research-XXXXXX").string();
    if (code) {
        return cannot("use the folder for temporary files", code.value());
    }
    const int descriptor = ::mkstemp(path.data());
    if (descriptor < 0) {
        return cannot("write " + path, errno);
    }
    ::unlink(path.c_str());
    return File(::fdopen(descriptor, "w+b"), &std::fclose);
}

/// Rows as they were when it was opened. What has no size, such as a pipe, is kept in a file first:
/// the server is told how much comes, and it may have to be sent again.
class RowsSource final : public http::BodySource {
  public:
    static Result<std::shared_ptr<RowsSource>> open(const std::string& path) {
        std::error_code code;
        const fs::file_status status = fs::status(path, code);
        if (path != "-" && !fs::exists(status)) {
            return Error(Code::not_found, "cannot read " + path + ": " + code.message());
        }
        auto out = std::make_shared<RowsSource>();
        if (path == "-") {
            LAB_CHECK(out->keep(stdin, "standard input"));
            return out;
        }
        File file(std::fopen(path.c_str(), "rb"), &std::fclose);
        if (!file) {
            return cannot("read " + path, errno);
        }
        if (!fs::is_regular_file(status)) {
            LAB_CHECK(out->keep(file.get(), path));
            return out;
        }
        out->size_ = fs::file_size(path, code);
        if (code) {
            return cannot("read " + path, code.value());
        }
        if (out->size_ > kFileBytesMax) {
            return too_large(path);
        }
        out->file_ = std::move(file);
        return out;
    }

    std::uint64_t size() const override { return size_; }
    std::size_t read(char* to, std::size_t bytes_max) override {
        return std::fread(to, 1, bytes_max, file_.get());
    }
    bool rewind() override {
        std::rewind(file_.get());
        return true;
    }

  private:
    Status keep(std::FILE* from, const std::string& name) {
        LAB_TRY(file_, make_scratch());
        std::vector<char> piece(256U << 10);
        while (true) {
            errno = 0;
            const std::size_t n = std::fread(piece.data(), 1, piece.size(), from);
            size_ += n;
            if (size_ > kFileBytesMax) {
                return too_large(name);
            }
            if (n > 0 && std::fwrite(piece.data(), 1, n, file_.get()) != n) {
                return cannot("keep " + name + " in a temporary file", errno);
            }
            if (n < piece.size()) {
                break;
            }
        }
        if (std::ferror(from) != 0) {
            return cannot("read " + name, errno);
        }
        if (std::fflush(file_.get()) != 0) {
            return cannot("keep " + name + " in a temporary file", errno);
        }
        std::rewind(file_.get());
        return ok();
    }

    File file_{nullptr, &std::fclose};
    std::uint64_t size_ = 0;
};

}  // namespace

Result<Json> upload_rows(
    ApiClient& client, const std::string& dataset, const std::string& path, Json announced
) {
    LAB_TRY(const auto rows, RowsSource::open(path));
    std::error_code code;
    if (fs::is_regular_file(path, code)) {
        announced["filename"] = fs::path(path).filename().string();
    }
    LAB_TRY(
        const Json link, client.post("/datasets/" + percent_encode(dataset) + "/upload", announced)
    );
    ApiRequest put{
        .method = link.value("method", "PUT"),
        .path = link.value("upload_url", ""),
        .source = rows,
    };
    if (!put.is_whole_url()) {
        return Error(Code::upstream_error, "the server gave no address to upload to");
    }
    for (const auto& [name, value] : link.value("headers", Json::object()).items()) {
        put.headers.emplace_back(name, value.is_string() ? value.get<std::string>() : "");
    }
    const auto seconds = static_cast<std::int64_t>(rows->size() / kBytesPerSecond);
    put.timeout = client.timeout() + std::chrono::seconds(seconds);
    LAB_TRY(const ApiResponse taken, client.send(std::move(put)));
    return parse_json(taken.body);
}

}  // namespace lab::cli
