#pragma once
#include <atomic>
#include <string_view>

namespace lab {

/// Where lines go. The log's own thread calls write(); give_up() may come from another at any time.
class LogSink {
  public:
    virtual ~LogSink() = default;
    /// Whole lines, each with its end. Returns when they are out of the process; false when they
    /// are lost. Throws nothing.
    virtual bool write(std::string_view lines) = 0;
    /// From now on write() returns at once, also one that is under way.
    virtual void give_up() = 0;
};

/// A file descriptor: standard output, or a file. Waits for a reader that is slow and notices
/// give_up() within 100 ms. The descriptor stays open.
class FdLogSink final : public LogSink {
  public:
    explicit FdLogSink(int fd);
    bool write(std::string_view lines) override;
    void give_up() override { given_up_ = true; }

  private:
    bool wait_until_writable();
    int fd_;
    bool is_file_;
    std::atomic<bool> given_up_ = false;
};

}  // namespace lab
