#pragma once
#include "base/result.h"

#include <string>
#include <string_view>
#include <vector>

namespace lab::storage {

/// A file under a temporary name that is removed unless it is kept. It is held by an flock, so that
/// what a killed process left behind can be told from what is being written. Not shared.
class TempFile {
  public:
    /// In `folder`, which is made when missing. Errors: io.
    static Result<TempFile> create(const std::string& folder);
    TempFile(TempFile&& other) noexcept;
    TempFile& operator=(TempFile&&) = delete;
    ~TempFile();

    /// Buffered. Errors: io; the file is useless afterwards.
    Status write(std::string_view bytes);
    /// Writes everything to the disk and gives the file its name, replacing one that is there.
    Status keep_as(const std::string& path);

  private:
    TempFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
    Status flush();
    int fd_;
    std::string path_;
    std::string buffer_;
};

/// Removes the files in `folder` whose writer is dead. Best effort: whatever cannot be removed
/// stays until the next time.
void remove_abandoned_files(const std::string& folder);

}  // namespace lab::storage
