#pragma once
#include "base/result.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace lab::data {

/// Reads a file piece by piece; skips a UTF-8 byte order mark.
class ByteSource {
  public:
    static constexpr std::size_t kPieceBytes = 1U << 17;
    /// `piece_bytes`: at least 4; tests read in small pieces.
    static Result<ByteSource> open(const std::string& path, std::size_t piece_bytes = kPieceBytes);
    ByteSource(ByteSource&& other) noexcept;
    ByteSource& operator=(ByteSource&&) = delete;
    ~ByteSource();
    /// The next piece, empty at the end. Valid until the next call. Errors: io; validation when the
    /// file is UTF-16.
    Result<std::string_view> read();

  private:
    ByteSource(int fd, std::string path, std::size_t piece_bytes)
        : fd_(fd), path_(std::move(path)), buffer_(piece_bytes) {}
    int fd_;
    std::string path_;
    std::vector<char> buffer_;
    bool at_start_ = true;
};

inline Error at_line(std::int64_t line, const std::string& message) {
    return Error(Code::validation, "line " + std::to_string(line) + ": " + message);
}

}  // namespace lab::data
