#pragma once
#include "platform/telemetry/log.h"

#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

namespace lab::test {

/// Keeps the lines in memory. With hold() the log's thread stays in write() until release() or
/// give_up(), as with a reader that does not read. Any thread.
class MemoryLogSink final : public LogSink {
  public:
    bool write(std::string_view text) override {
        std::unique_lock lock(mutex_);
        ++writes_;
        changed_.notify_all();
        changed_.wait(lock, [this] { return !held_ || given_up_; });
        if (given_up_) {
            return false;
        }
        text_ += text;
        return true;
    }
    void give_up() override {
        const std::lock_guard lock(mutex_);
        given_up_ = true;
        changed_.notify_all();
    }

    void hold() {
        const std::lock_guard lock(mutex_);
        held_ = true;
    }
    void release() {
        const std::lock_guard lock(mutex_);
        held_ = false;
        changed_.notify_all();
    }
    /// Until write() has been called so often; false after ten seconds.
    bool wait_for_writes(std::size_t count) {
        std::unique_lock lock(mutex_);
        return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return writes_ >= count; });
    }

    std::string text() const {
        const std::lock_guard lock(mutex_);
        return text_;
    }
    std::vector<std::string> lines() const {
        const std::string all = text();
        std::vector<std::string> out;
        for (std::size_t begin = 0; begin < all.size();) {
            const std::size_t end = all.find('\n', begin);
            out.push_back(all.substr(begin, end - begin));
            begin = end == std::string::npos ? all.size() : end + 1;
        }
        return out;
    }

  private:
    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::string text_;
    std::size_t writes_ = 0;
    bool held_ = false;
    bool given_up_ = false;
};

}  // namespace lab::test
