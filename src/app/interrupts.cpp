#include "app/interrupts.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <memory>

namespace lab::app {
namespace {

/// Written by the handler, read on the loop: a signal handler may do no more than this.
std::atomic<int> signals_seen{0};

/// A terminal that closes says so twice, through the shell and by itself: one interruption, and the
/// second may come when the first has ended the work and its result is being written.
std::atomic<bool> hung_up{false};

extern "C" void on_signal(int signal) {
    if (signal != SIGHUP || !hung_up.exchange(true, std::memory_order_relaxed)) {
        signals_seen.fetch_add(1, std::memory_order_relaxed);
    }
}

/// Looks at the counter often enough for a person; a signal handler cannot post to a loop safely.
class Watch : public std::enable_shared_from_this<Watch> {
  public:
    Watch(Executor& loop, std::function<void()> handler)
        : loop_(loop), handler_(std::move(handler)) {}
    void look() {
        const int seen = signals_seen.load(std::memory_order_relaxed);
        while (handled_ < seen && active_) {
            ++handled_;
            handler_();
        }
        if (active_) {
            timer_ = loop_.call_at(
                loop_.clock().now() + std::chrono::milliseconds(50),
                [self = shared_from_this()] { self->look(); }
            );
        }
    }
    void stop() {
        active_ = false;
        loop_.cancel_timer(timer_);
    }

  private:
    Executor& loop_;
    std::function<void()> handler_;
    Executor::TimerId timer_ = 0;
    int handled_ = 0;
    bool active_ = true;
};

std::shared_ptr<Watch> current;

/// Whoever started us under nohup wants to survive the end of the terminal.
bool is_ignored(int signal) {
    struct sigaction now{};
    return ::sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_IGN;
}

void set_action(void (*action)(int)) {
    struct sigaction what{};
    what.sa_handler = action;
    sigemptyset(&what.sa_mask);
    what.sa_flags = SA_RESTART;
    ::sigaction(SIGINT, &what, nullptr);
    ::sigaction(SIGTERM, &what, nullptr);
    const bool heard = action == SIG_DFL && hung_up.load(std::memory_order_relaxed);
    if (!heard && !is_ignored(SIGHUP)) {
        ::sigaction(SIGHUP, &what, nullptr);
    }
}

}  // namespace

void handle_interrupts(Executor& loop, std::function<void()> handler) {
    if (current) {
        current->stop();
        current.reset();
    }
    if (!handler) {
        set_action(SIG_DFL);
        return;
    }
    signals_seen = 0;
    hung_up = false;
    set_action(on_signal);
    current = std::make_shared<Watch>(loop, std::move(handler));
    current->look();
}

namespace {

/// Whoever starts a program with a standard stream closed gets the next file it opens in that
/// place, and its messages would go into a database or a socket. The place is taken by something
/// that cannot be used: writing fails as it does on a closed one.
void take_standard_places() {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(fd, F_GETFD) == -1 && errno == EBADF) {
            // The lowest that is free, which is this one.
            static_cast<void>(::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY));
        }
    }
}

}  // namespace

void prepare_process() {
    take_standard_places();
    std::signal(SIGPIPE, SIG_IGN);
    std::signal(SIGXFSZ, SIG_IGN);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
        files.rlim_cur = files.rlim_max;
        ::setrlimit(RLIMIT_NOFILE, &files);
    }
}

}  // namespace lab::app
