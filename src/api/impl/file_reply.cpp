#include "api/impl/file_reply.h"

#include "api/impl/encode.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace lab::api {
namespace {

constexpr std::int64_t kPieceBytes = 128 << 10;

/// An open file that closes itself.
class OpenFile {
  public:
    explicit OpenFile(int fd) : fd_(fd) {}
    ~OpenFile() { ::close(fd_); }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;

    Result<std::string> read(std::int64_t at, std::int64_t count) const {
        std::string out(static_cast<std::size_t>(count), '\0');
        std::size_t have = 0;
        while (have < out.size()) {
            const ssize_t got = ::pread(
                fd_, out.data() + have, out.size() - have, at + static_cast<std::int64_t>(have)
            );
            if (got < 0 && errno == EINTR) {
                continue;
            }
            if (got <= 0) {
                return Error(Code::io, "the file is shorter than it was");
            }
            have += static_cast<std::size_t>(got);
        }
        return out;
    }

  private:
    int fd_;
};

std::optional<std::int64_t> read_number(std::string_view text) {
    std::int64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
    return whole && value >= 0 && !text.starts_with('-') ? std::optional(value) : std::nullopt;
}

bool names(std::string_view list, const std::string& etag) {
    const std::vector<std::string> tags = split_commas(list);
    return std::ranges::any_of(tags, [&](std::string_view tag) {
        tag.remove_prefix(tag.starts_with("W/") ? 2 : 0);
        return tag == "*" || tag == etag;
    });
}

}  // namespace

std::optional<ByteRange> parse_range(std::string_view header, std::int64_t size) {
    constexpr std::string_view kUnit = "bytes=";
    if (!to_lower(header.substr(0, kUnit.size())).starts_with(kUnit)) {
        return std::nullopt;
    }
    const std::string spec = std::string(trim(header.substr(kUnit.size())));
    const std::size_t hyphen = spec.find('-');
    if (hyphen == std::string::npos || spec.contains(',')) {
        return std::nullopt;
    }
    const std::string_view from = std::string_view(spec).substr(0, hyphen);
    const std::string_view to = std::string_view(spec).substr(hyphen + 1);
    const auto first = read_number(from);
    const auto last = read_number(to);
    if (from.empty()) {  // the last so many bytes
        if (!last) {
            return std::nullopt;
        }
        const std::int64_t count = std::min(*last, size);
        return ByteRange{.first = size - count, .last = size - 1};
    }
    if (!first || (!to.empty() && (!last || *last < *first))) {
        return std::nullopt;
    }
    const std::int64_t end = last ? std::min(*last, size - 1) : size - 1;
    return ByteRange{.first = *first, .last = end};
}

Result<Reply> reply_file(const Call& call, FileFace face) {
    const int fd = ::open(face.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        Error gone(Code::io, "the bytes of " + face.name + " cannot be read");
        gone.cause = face.path + ": error " + std::to_string(errno);
        return gone;
    }
    auto file = std::make_shared<const OpenFile>(fd);
    const std::string etag = "\"" + face.content_hash + "\"";
    Reply out;
    out.headers.emplace_back("ETag", etag);
    out.headers.emplace_back("Accept-Ranges", "bytes");
    out.headers.emplace_back("Cache-Control", "private, no-cache");
    if (names(call.header("if-none-match"), etag)) {
        out.status = 304;
        return out;
    }
    std::optional<ByteRange> range = parse_range(call.header("range"), face.bytes);
    const std::string_view only_if = call.header("if-range");
    if (!only_if.empty() && only_if != etag) {
        range.reset();
    }
    std::int64_t at = 0;
    std::int64_t end = face.bytes;
    if (range) {
        const ByteRange asked = *range;
        if (asked.first >= face.bytes || asked.last < asked.first) {
            Reply none = problem_reply(
                416,
                "RANGE_NOT_SATISFIABLE",
                "the file has " + std::to_string(face.bytes) + " bytes",
                call.request().caller.request_id
            );
            none.headers.emplace_back("Content-Range", "bytes */" + std::to_string(face.bytes));
            return none;
        }
        at = asked.first;
        end = asked.last + 1;
        out.status = 206;
        out.headers.emplace_back(
            "Content-Range",
            "bytes " + std::to_string(at) + "-" + std::to_string(end - 1) + "/" +
                std::to_string(face.bytes)
        );
    }
    out.headers.emplace_back("Content-Type", face.mime_type);
    out.headers.emplace_back("Content-Disposition", "attachment; filename=\"" + face.name + "\"");
    out.headers.emplace_back("Content-Length", std::to_string(end - at));
    out.pieces = [file, at, end](const Call&) mutable -> Result<std::string> {
        const std::int64_t count = std::min(kPieceBytes, end - at);
        LAB_TRY(std::string piece, file->read(at, count));
        at += count;
        return piece;
    };
    return out;
}

}  // namespace lab::api
