#pragma once
#include "base/result.h"

#include <string>

namespace lab::service {

/// A folder of its own that is removed with all that is in it. What was opened there and is mapped
/// or held open stays readable.
class ScratchFolder {
  public:
    /// Below `parent`, readable by its owner alone. Errors: io.
    static Result<ScratchFolder> make(const std::string& parent);
    ScratchFolder(ScratchFolder&& other) noexcept;
    ScratchFolder& operator=(ScratchFolder&& other) noexcept;
    ~ScratchFolder();
    const std::string& path() const { return path_; }

  private:
    explicit ScratchFolder(std::string path) : path_(std::move(path)) {}
    std::string path_;
};

}  // namespace lab::service
