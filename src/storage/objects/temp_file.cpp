#include "storage/objects/impl/temp_file.h"

#include "base/rng.h"
#include "base/uuid.h"
#include "storage/objects/file_error.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

namespace lab::storage {
namespace {
constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr int kAttemptsMax = 16;
}  // namespace

Result<TempFile> TempFile::create(const std::string& folder) {
    LAB_CHECK(make_folders(folder));
    for (int attempt = 0; attempt < kAttemptsMax; ++attempt) {
        std::string path = folder + "/" + make_uuid(entropy(), entropy());
        const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (fd < 0) {
            return file_error("write", path, errno);
        }
        // Between open and flock somebody who clears up may have taken the file for abandoned:
        // then it has no name any more, and another one is made.
        struct stat info{};
        if (::flock(fd, LOCK_EX) == 0 && ::fstat(fd, &info) == 0 && info.st_nlink > 0) {
            return TempFile(fd, std::move(path));
        }
        ::close(fd);
    }
    return Error(Code::io, "cannot keep a temporary file in " + folder + ": it vanishes");
}

TempFile::TempFile(TempFile&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      buffer_(std::move(other.buffer_)) {}

TempFile::~TempFile() {
    if (fd_ < 0) {
        return;
    }
    if (!path_.empty()) {
        ::unlink(path_.c_str());
    }
    ::close(fd_);
}

Status TempFile::write(std::string_view bytes) {
    buffer_.append(bytes);
    return buffer_.size() < kBufferBytes ? ok() : flush();
}

Status TempFile::flush() {
    std::string_view rest = buffer_;
    while (!rest.empty()) {
        const ssize_t count = ::write(fd_, rest.data(), rest.size());
        if (count < 0 && errno != EINTR) {
            return file_error("write", path_, errno);
        }
        rest.remove_prefix(count > 0 ? static_cast<std::size_t>(count) : 0);
    }
    buffer_.clear();
    return ok();
}

Status TempFile::keep_as(const std::string& path) {
    LAB_CHECK(flush());
    if (::fsync(fd_) != 0) {
        return file_error("write", path_, errno);
    }
    if (::rename(path_.c_str(), path.c_str()) != 0) {
        return file_error("write", path, errno);
    }
    path_.clear();
    return sync_folder(path.substr(0, path.find_last_of('/')));
}

void remove_abandoned_files(const std::string& folder) {
    DIR* entries = ::opendir(folder.c_str());
    if (entries == nullptr) {
        return;
    }
    while (const dirent* entry = ::readdir(entries)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        const std::string path = folder + "/" + entry->d_name;
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0) {
            continue;
        }
        if (::flock(fd, LOCK_EX | LOCK_NB) == 0) {
            ::unlink(path.c_str());
        }
        ::close(fd);
    }
    ::closedir(entries);
}

}  // namespace lab::storage
