#include "platform/telemetry/log.h"

#include "base/text.h"
#include "platform/telemetry/impl/log_line.h"

#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/sink.h>

#include <condition_variable>
#include <csignal>
#include <mutex>
#include <shared_mutex>

// spdlog is the queue and the thread; what a line is, who may enter the queue and when it is
// written are ours. Its own answer to a full queue is to overwrite the oldest line, which may be
// the ERROR that explains the flood, so lines are counted here before they reach it and it is never
// full.

namespace lab {
namespace {

constexpr std::size_t kWriteBytesMax = 64U << 10;

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
    /// What spdlog's thread calls, one line after the other.
    class Writer final : public spdlog::sinks::sink {
      public:
        explicit Writer(Impl& log) : log_(log) {}
        void log(const spdlog::details::log_msg& line) override {
            log_.take({line.payload.data(), line.payload.size()}, line.level == spdlog::level::err);
        }
        void flush() override {}
        void set_pattern(const std::string&) override {}
        void set_formatter(std::unique_ptr<spdlog::formatter>) override {}

      private:
        Impl& log_;
    };

    Impl(LogSink& to, const Clock& with, Options chosen)
        : sink(to), clock(with), options(std::move(chosen)), filter(options.filter) {
        set_bounds();
        // Room for every line that is admitted, and for spdlog's own messages.
        pool = std::make_shared<spdlog::details::thread_pool>(
            options.queue_lines_max + 8, 1, block_signals
        );
        queue = std::make_shared<spdlog::async_logger>(
            "log", std::make_shared<Writer>(*this), pool, spdlog::async_overflow_policy::block
        );
        queue->set_level(spdlog::level::trace);
    }

    void set_bounds() {
        lowest = filter.lowest();
        highest = filter.highest();
    }

    bool admit(LogLevel level, std::size_t bytes);
    void leave(std::size_t line_count, std::size_t size);
    void take(std::string_view line, bool is_error);
    void tell_dropped();
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

    // Of the writer's thread.
    std::string waiting;
    std::size_t waiting_lines = 0;
    std::size_t waiting_bytes = 0;
    std::uint64_t told = 0;  // of `overflown`

    std::shared_ptr<spdlog::async_logger> queue;
    // Last, so that it goes first and joins its thread, which uses all of the above.
    std::shared_ptr<spdlog::details::thread_pool> pool;
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

void Logger::Impl::take(std::string_view line, bool is_error) {
    waiting += line;
    waiting += '\n';
    waiting_bytes += line.size() + 1;
    ++waiting_lines;
    // Whoever was admitted is on the way: as long as there is one, this line can wait for it.
    const bool last = lines == waiting_lines;
    if (last) {
        tell_dropped();
    }
    if (last || is_error || waiting_bytes >= kWriteBytesMax) {
        if (!sink.write(waiting)) {
            lost += waiting_lines;
        }
        waiting.clear();
        leave(std::exchange(waiting_lines, 0), std::exchange(waiting_bytes, 0));
    }
}

void Logger::Impl::tell_dropped() {
    const std::uint64_t now = overflown;
    if (now == told) {
        return;
    }
    const LogField field{"dropped", now - told};
    told = now;
    waiting += telemetry::format_line(
        options.format,
        {.time = clock.wall(),
         .level = LogLevel::warn,
         .root = options.root,
         .target = "log",
         .message = "log lines were dropped because the queue was full",
         .fields = std::span(&field, 1),
         .context = kNoLogContext}
    );
    waiting += '\n';
}

bool Logger::Impl::wait_until_empty(Duration limit) {
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
    const std::string line = telemetry::format_line(
        impl_->options.format,
        {.time = impl_->clock.wall(),
         .level = level,
         .root = impl_->options.root,
         .target = target,
         .message = message,
         .fields = fields,
         .context = context}
    );
    if (impl_->closed) {
        ++impl_->lost;
        return;
    }
    if (!impl_->admit(level, line.size() + 1)) {
        ++impl_->overflown;
        return;
    }
    try {
        impl_->queue->log(
            spdlog::log_clock::time_point{},
            spdlog::source_loc{},
            level == LogLevel::error ? spdlog::level::err : spdlog::level::info,
            spdlog::string_view_t(line.data(), line.size())
        );
    } catch (...) {  // no memory for the copy
        impl_->leave(1, line.size() + 1);
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
