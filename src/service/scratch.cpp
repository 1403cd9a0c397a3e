#include "service/scratch.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

namespace lab::service {

Result<ScratchFolder> ScratchFolder::make(const std::string& parent) {
    std::string path = (std::filesystem::path(parent) / "llm-research-XXXXXX").string();
    if (::mkdtemp(path.data()) == nullptr) {
        return Error(
            Code::io,
            "cannot make a temporary folder in " + parent + ": " + std::strerror(errno) +
                "; set TMPDIR to another folder"
        );
    }
    return ScratchFolder(std::move(path));
}

ScratchFolder::ScratchFolder(ScratchFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})) {}

ScratchFolder& ScratchFolder::operator=(ScratchFolder&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
}

ScratchFolder::~ScratchFolder() {
    if (!path_.empty()) {
        std::error_code ignored;  // there is nobody to tell, and the system clears the folder above
        std::filesystem::remove_all(path_, ignored);
    }
}

}  // namespace lab::service
