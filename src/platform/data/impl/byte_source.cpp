#include "platform/data/impl/byte_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace lab::data {

Result<ByteSource> ByteSource::open(const std::string& path, std::size_t piece_bytes) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT) {
            return Error(Code::not_found, "there is no file " + path);
        }
        return Error(Code::io, "cannot read " + path + ": " + std::strerror(errno));
    }
    struct stat status{};
    if (::fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        ::close(fd);
        return Error(Code::validation, path + " is a folder, not a file");
    }
    ::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return ByteSource(fd, path, piece_bytes);
}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      buffer_(std::move(other.buffer_)),
      at_start_(other.at_start_) {}

ByteSource::~ByteSource() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

Result<std::string_view> ByteSource::read() {
    std::size_t have = 0;
    // The first piece is read until a byte order mark can be told.
    do {
        const ssize_t n = ::read(fd_, buffer_.data() + have, buffer_.size() - have);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return Error(Code::io, "cannot read " + path_ + ": " + std::strerror(errno));
        }
        if (n == 0) {
            break;
        }
        have += static_cast<std::size_t>(n);
    } while (at_start_ && have < 3);
    std::string_view piece(buffer_.data(), have);
    if (at_start_ && (piece.starts_with("\xff\xfe") || piece.starts_with("\xfe\xff"))) {
        return at_line(1, "the file is UTF-16: save it as UTF-8");
    }
    if (at_start_ && piece.starts_with("\xef\xbb\xbf")) {
        piece.remove_prefix(3);
        at_start_ = false;
        return piece.empty() ? read() : Result<std::string_view>(piece);
    }
    at_start_ = false;
    return piece;
}

}  // namespace lab::data
