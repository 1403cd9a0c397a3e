#include "cli/upload.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace lab::cli {
namespace {

constexpr std::uintmax_t kFileBytesMax = 1U << 30;
/// The least that is expected of a connection, so that a large file gets its time.
constexpr std::uintmax_t kBytesPerSecond = 64U << 10;

Result<std::string> read_whole(const std::string& path) {
    std::error_code code;
    const auto size = std::filesystem::file_size(path, code);
    if (code) {
        return Error(Code::not_found, "cannot read " + path + ": " + code.message());
    }
    if (size > kFileBytesMax) {
        return Error(
            Code::payload_too_large, path + " has more than 1 GiB: split it into several datasets"
        );
    }
    std::ifstream file(path, std::ios::binary);
    std::string out(size, '\0');
    file.read(out.data(), static_cast<std::streamsize>(size));
    if (!file || static_cast<std::uintmax_t>(file.gcount()) != size) {
        return Error(Code::io, "cannot read " + path + ": " + std::strerror(errno));
    }
    return out;
}

}  // namespace

Result<Json> upload_rows(
    ApiClient& client, const std::string& dataset, const std::string& path, Json announced
) {
    LAB_TRY(std::string rows, read_whole(path));
    announced["filename"] = std::filesystem::path(path).filename().string();
    LAB_TRY(
        const Json link, client.post("/datasets/" + encode_segment(dataset) + "/upload", announced)
    );
    ApiRequest put{
        .method = link.value("method", "PUT"),
        .path = link.value("upload_url", ""),
        .body = std::move(rows),
    };
    if (!put.is_whole_url()) {
        return Error(Code::upstream_error, "the server gave no address to upload to");
    }
    for (const auto& [name, value] : link.value("headers", Json::object()).items()) {
        put.headers.emplace_back(name, value.is_string() ? value.get<std::string>() : "");
    }
    const auto seconds = static_cast<std::int64_t>(put.body.size() / kBytesPerSecond);
    put.timeout = client.timeout() + std::chrono::seconds(seconds);
    LAB_TRY(const ApiResponse taken, client.send(std::move(put)));
    return parse_json(taken.body);
}

}  // namespace lab::cli
