#include "storage/store/run_lock.h"

#include "storage/objects/file_error.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace lab::storage {
namespace {

/// The number a holder wrote into its lock; empty while it is about to.
std::string read_holder(int fd) {
    std::array<char, 32> text{};
    const ssize_t count = ::pread(fd, text.data(), text.size(), 0);
    return count > 0 ? std::string(text.data(), static_cast<std::size_t>(count)) : std::string();
}

Error held_error(int fd, const std::string& run_id) {
    const std::string holder = read_holder(fd);
    return {
        Code::conflict,
        "run " + run_id + " is being worked on by " +
            (holder.empty() ? "another process" : "process " + holder) +
            ": wait until it is done, or stop it"
    };
}

/// Whether the open file is still the one of this name: a holder that leaves removes it.
bool is_named(int fd, const std::string& path) {
    struct stat opened{};
    struct stat named{};
    return ::fstat(fd, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
           opened.st_ino == named.st_ino && opened.st_dev == named.st_dev;
}

}  // namespace

Result<RunLock> RunLock::acquire(const std::string& folder, const std::string& run_id) {
    LAB_ASSERT(
        !run_id.empty() && run_id.find('/') == std::string::npos, "a run's id can name a file"
    );
    LAB_CHECK(make_folders(folder));
    std::string path = folder + "/" + run_id + ".lock";
    for (;;) {
        const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        if (fd < 0) {
            return file_error("write", path, errno);
        }
        if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
            const int number = errno;
            Error error =
                number == EWOULDBLOCK ? held_error(fd, run_id) : file_error("lock", path, number);
            ::close(fd);
            return error;
        }
        if (!is_named(fd, path)) {
            ::close(fd);
            continue;
        }
        const std::string holder = std::to_string(::getpid());
        if (::ftruncate(fd, 0) != 0 ||
            ::pwrite(fd, holder.data(), holder.size(), 0) != static_cast<ssize_t>(holder.size())) {
            const int number = errno;
            ::close(fd);
            return file_error("write", path, number);
        }
        return RunLock(fd, std::move(path));
    }
}

RunLock::RunLock(RunLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), path_(std::move(other.path_)) {}

RunLock::~RunLock() {
    if (fd_ >= 0) {
        // While it is still locked, so that nobody has taken it over.
        ::unlink(path_.c_str());
        ::close(fd_);
    }
}

}  // namespace lab::storage
