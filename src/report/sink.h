#pragma once
#include "base/result.h"

#include <functional>
#include <string>
#include <string_view>

namespace lab::report {

/// Where a rendering goes: a file, a terminal, a socket. Called with pieces of some tens of
/// kilobytes, in order; an error ends the rendering and is handed on.
using Sink = std::function<Status(std::string_view)>;

/// Collects small pieces for a Sink and remembers its first error, so that a renderer can write
/// without asking after every word.
class Out {
  public:
    explicit Out(const Sink& sink) : sink_(sink) {}
    Out(const Out&) = delete;
    Out& operator=(const Out&) = delete;

    Out& operator<<(std::string_view text) {
        buffer_ += text;
        if (buffer_.size() >= kPiece) {
            flush();
        }
        return *this;
    }
    /// For writers that append to a string; call settle() after.
    std::string& buffer() { return buffer_; }
    void settle() {
        if (buffer_.size() >= kPiece) {
            flush();
        }
    }
    const Status& status() const { return status_; }
    /// Hands over what is left.
    Status finish() {
        flush();
        return status_;
    }

  private:
    static constexpr std::size_t kPiece = 64U << 10;
    void flush() {
        if (status_ && !buffer_.empty()) {
            status_ = sink_(buffer_);
        }
        buffer_.clear();
    }

    const Sink& sink_;
    std::string buffer_;
    Status status_;
};

}  // namespace lab::report
