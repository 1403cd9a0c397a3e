#pragma once
#include "fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>

namespace lab::fuzz {

/// A file that is in memory alone, for what reads paths.
class MemoryFile {
  public:
    explicit MemoryFile(std::string_view text) : file_(memfd_create("fuzz", MFD_CLOEXEC)) {
        require(file_ >= 0, "there is memory for a file");
        require(
            write(file_, text.data(), text.size()) == static_cast<ssize_t>(text.size()),
            "the file can be written"
        );
    }
    ~MemoryFile() { close(file_); }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;
    std::string path() const { return "/proc/self/fd/" + std::to_string(file_); }

  private:
    int file_;
};

}  // namespace lab::fuzz
