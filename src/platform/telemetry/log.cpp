#include "platform/telemetry/log.h"

#include "base/text.h"
#include "platform/telemetry/impl/log_line.h"

#include <atomic>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <shared_mutex>
#include <thread>

// Lines go into one text that the writer takes whole: a lock and a copy a line, one write for many.
// A queue of messages with a wake-up for each (spdlog's) cost a busy server a third of its time.
// Who may enter is decided before, so that the last room is left for an ERROR that explains why
// the rest is full.

namespace lab {
namespace {

/// Lines that come within this time leave together, unless so many bytes or an ERROR are waiting.
constexpr Duration kGather = std::chrono::milliseconds(10);
constexpr std::size_t kGatherBytesMax = 256U << 10;

/// Adds, unless the sum would pass the bound.
bool add_within(std::atomic<std::size_t>& count, std::size_t by, std::size_t bound) {
    std::size_t now = count.load(std::memory_order_relaxed);
    do {
        if (now + by > bound) {
            return false;
        }
    } while (!count.compare_exchange_weak(now, now + by));
    return true;
}

/// Signals are for the threads that know them: the writer takes none, and a reader who has gone
/// (SIGPIPE) is an error of write().
void block_signals() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

struct Logger::Impl {
    Impl(LogSink& to, const Clock& with, Options chosen)
        : sink(to), clock(with), options(std::move(chosen)), filter(options.filter) {
        set_bounds();
        writer = std::jthread([this] { write_all(); });
    }
    ~Impl() {
        {
            const std::lock_guard lock(mutex);
            ended = true;
        }
        wake.notify_one();
    }

    void set_bounds() {
        lowest = filter.lowest();
        highest = filter.highest();
    }

    bool admit(LogLevel level, std::size_t bytes);
    void leave(std::size_t line_count, std::size_t size);
    void add(std::string_view line, bool is_error);
    void hurry();
    void write_all();
    void write(std::string_view part, std::size_t line_count);
    std::string dropped_line();
    bool wait_until_empty(Duration limit);

    LogSink& sink;
    const Clock& clock;
    const Options options;

    mutable std::shared_mutex filter_mutex;
    LogFilter filter;
    std::atomic<LogLevel> lowest;   // below: nobody writes
    std::atomic<LogLevel> highest;  // from here on: everybody does

    std::atomic<std::size_t> lines = 0;  // admitted and not yet with the sink
    std::atomic<std::size_t> bytes = 0;
    std::atomic<std::uint64_t> overflown = 0;
    std::atomic<std::uint64_t> lost = 0;
    std::atomic<bool> closed = false;
    std::mutex empty_mutex;
    std::condition_variable empty;

    std::mutex mutex;  // of the following
    std::condition_variable wake;
    std::string pending;
    std::size_t pending_lines = 0;
    std::size_t error_end = 0;  // of `pending`: up to here it cannot wait
    std::size_t error_lines = 0;
    bool urgent = false;
    bool ended = false;

    std::uint64_t told = 0;  // of `overflown`; of the writer
    std::jthread writer;     // last: it goes first, and uses all of the above
};

bool Logger::Impl::admit(LogLevel level, std::size_t size) {
    // The last eighth is for what explains why the rest is full.
    const bool is_error = level == LogLevel::error;
    const auto share = [&](std::size_t all) { return is_error ? all : all - all / 8; };
    if (!add_within(bytes, size, share(options.queue_bytes_max))) {
        return false;
    }
    if (!add_within(lines, 1, share(options.queue_lines_max))) {
        bytes -= size;
        return false;
    }
    return true;
}

void Logger::Impl::leave(std::size_t line_count, std::size_t size) {
    bytes -= size;
    if (lines.fetch_sub(line_count) == line_count) {
        const std::lock_guard lock(empty_mutex);
        empty.notify_all();
    }
}

void Logger::Impl::add(std::string_view line, bool is_error) {
    bool wakes = false;
    {
        const std::lock_guard lock(mutex);
        const bool was_urgent = urgent;
        wakes = pending.empty();
        pending += line;  // with its end: half a line must not stay behind
        ++pending_lines;
        if (is_error) {
            error_end = pending.size();
            error_lines = pending_lines;
        }
        urgent = urgent || is_error || pending.size() >= kGatherBytesMax;
        wakes = wakes || urgent != was_urgent;
    }
    if (wakes) {
        wake.notify_one();
    }
}

/// Somebody waits for what is pending.
void Logger::Impl::hurry() {
    {
        const std::lock_guard lock(mutex);
        urgent = true;
    }
    wake.notify_one();
}

void Logger::Impl::write_all() {
    block_signals();
    std::string batch;
    for (;;) {
        std::size_t batch_lines = 0;
        std::size_t first_end = 0;
        std::size_t first_lines = 0;
        {
            std::unique_lock lock(mutex);
            wake.wait(lock, [this] { return !pending.empty() || ended; });
            if (pending.empty()) {
                return;
            }
            wake.wait_for(lock, kGather, [this] { return urgent || ended; });
            batch.clear();
            batch.swap(pending);
            batch_lines = std::exchange(pending_lines, 0);
            first_end = std::exchange(error_end, 0);
            first_lines = std::exchange(error_lines, 0);
            urgent = false;
        }
        const std::string_view all = batch;
        if (first_end > 0) {
            write(all.substr(0, first_end), first_lines);
        }
        if (first_end < all.size()) {
            write(all.substr(first_end), batch_lines - first_lines);
        }
    }
}

void Logger::Impl::write(std::string_view part, std::size_t line_count) {
    // Whoever was admitted is on the way: as long as there is one, the note can wait for it.
    const std::string note = lines == line_count ? dropped_line() : "";
    const bool written = note.empty() ? sink.write(part) : sink.write(std::string(part) + note);
    if (!written) {
        lost += line_count;
    }
    leave(line_count, part.size());
}

/// A line about those that found no room, when there are new ones.
std::string Logger::Impl::dropped_line() {
    const std::uint64_t now = overflown;
    if (now == told) {
        return "";
    }
    const LogField field{"dropped", now - told};
    told = now;
    return telemetry::format_line(
               options.format,
               {.time = clock.wall(),
                .level = LogLevel::warn,
                .root = options.root,
                .target = "log",
                .message = "log lines were dropped because the queue was full",
                .fields = std::span(&field, 1),
                .context = kNoLogContext}
           ) +
           '\n';
}

bool Logger::Impl::wait_until_empty(Duration limit) {
    hurry();
    std::unique_lock lock(empty_mutex);
    return empty.wait_for(lock, limit, [this] { return lines == 0; });
}

std::optional<LogFormat> parse_log_format(std::string_view word) {
    const std::string lower = to_lower(word.substr(0, 16));
    return lower == "json"      ? std::optional(LogFormat::json)
           : lower == "pretty"  ? std::optional(LogFormat::pretty)
           : lower == "compact" ? std::optional(LogFormat::compact)
                                : std::nullopt;
}

Logger::Logger(LogSink& sink, const Clock& clock, Options options)
    : impl_(std::make_unique<Impl>(sink, clock, std::move(options))) {}

Logger::~Logger() { close(std::chrono::seconds(2)); }

bool Logger::enabled(LogLevel level, std::string_view target) const {
    if (level < impl_->lowest || level == LogLevel::off) {
        return false;
    }
    if (level >= impl_->highest) {
        return true;
    }
    const std::shared_lock lock(impl_->filter_mutex);
    return level >= impl_->filter.level_for(target, impl_->options.root);
}

void Logger::set_filter(LogFilter filter) {
    const std::unique_lock lock(impl_->filter_mutex);
    impl_->filter = std::move(filter);
    impl_->set_bounds();
}

void Logger::log(
    LogLevel level,
    std::string_view target,
    std::string_view message,
    std::span<const LogField> fields,
    const LogContext& context
) {
    if (!enabled(level, target)) {
        return;
    }
    std::string line = telemetry::format_line(
        impl_->options.format,
        {.time = impl_->clock.wall(),
         .level = level,
         .root = impl_->options.root,
         .target = target,
         .message = message,
         .fields = fields,
         .context = context}
    );
    line += '\n';
    if (impl_->closed) {
        ++impl_->lost;
        return;
    }
    if (!impl_->admit(level, line.size())) {
        ++impl_->overflown;
        return;
    }
    try {
        impl_->add(line, level == LogLevel::error);
    } catch (...) {  // no memory for the copy
        impl_->leave(1, line.size());
        ++impl_->lost;
    }
}

bool Logger::flush(Duration limit) { return impl_->wait_until_empty(limit); }

void Logger::close(Duration limit) {
    if (impl_->closed.exchange(true)) {
        return;
    }
    if (!impl_->wait_until_empty(limit)) {
        impl_->sink.give_up();
        impl_->wait_until_empty(std::chrono::seconds(1));
    }
}

std::uint64_t Logger::dropped() const { return impl_->overflown + impl_->lost; }

}  // namespace lab
