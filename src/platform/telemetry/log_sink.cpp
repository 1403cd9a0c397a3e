#include "platform/telemetry/log_sink.h"

#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstddef>

namespace lab {

FdLogSink::FdLogSink(int fd) : fd_(fd) {
    struct stat status{};
    is_file_ = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
}

bool FdLogSink::wait_until_writable() {
    constexpr int kLookAgainMs = 100;
    while (fd_ >= 0 && !given_up_) {
        pollfd waiting{.fd = fd_, .events = POLLOUT, .revents = 0};
        const int ready = poll(&waiting, 1, kLookAgainMs);
        if (ready > 0) {
            return (waiting.revents & POLLOUT) != 0;
        }
        if (ready < 0 && errno != EINTR) {
            return false;
        }
    }
    return false;
}

bool FdLogSink::write(std::string_view lines) {
    while (!lines.empty()) {
        if (!wait_until_writable()) {
            return false;
        }
        // A pipe that poll() calls writable takes this much without waiting, and not more.
        const std::size_t piece =
            is_file_ ? lines.size() : std::min<std::size_t>(lines.size(), PIPE_BUF);
        const ssize_t written = ::write(fd_, lines.data(), piece);
        if (written >= 0) {
            lines.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno != EINTR && errno != EAGAIN) {
            return false;
        }
    }
    return true;
}

}  // namespace lab
