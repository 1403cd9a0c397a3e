#include "cli/upload.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

namespace lab::cli {
namespace {

constexpr std::uintmax_t kFileBytesMax = 1U << 30;
/// The least that is expected of a connection, so that a large file gets its time.
constexpr std::uintmax_t kBytesPerSecond = 64U << 10;

/// A file as long as it was when it was opened.
class FileSource final : public http::BodySource {
  public:
    static Result<std::shared_ptr<FileSource>> open(const std::string& path) {
        std::error_code code;
        const auto size = std::filesystem::file_size(path, code);
        if (code) {
            return Error(Code::not_found, "cannot read " + path + ": " + code.message());
        }
        if (size > kFileBytesMax) {
            return Error(
                Code::payload_too_large,
                path + " has more than 1 GiB: split it into several datasets"
            );
        }
        auto out = std::make_shared<FileSource>();
        out->file_.open(path, std::ios::binary);
        if (!out->file_) {
            return Error(Code::io, "cannot read " + path + ": " + std::strerror(errno));
        }
        out->size_ = size;
        return out;
    }

    std::uint64_t size() const override { return size_; }
    std::size_t read(char* to, std::size_t bytes_max) override {
        file_.read(to, static_cast<std::streamsize>(bytes_max));
        return static_cast<std::size_t>(file_.gcount());
    }
    bool rewind() override {
        file_.clear();
        return static_cast<bool>(file_.seekg(0));
    }

  private:
    std::ifstream file_;
    std::uint64_t size_ = 0;
};

}  // namespace

Result<Json> upload_rows(
    ApiClient& client, const std::string& dataset, const std::string& path, Json announced
) {
    LAB_TRY(const auto rows, FileSource::open(path));
    announced["filename"] = std::filesystem::path(path).filename().string();
    LAB_TRY(
        const Json link, client.post("/datasets/" + encode_segment(dataset) + "/upload", announced)
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
