#include "storage/objects/file_error.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace lab::storage {

Error file_error(std::string_view action, const std::string& path, int number) {
    const std::string reason = std::generic_category().message(number);
    std::string text;
    switch (number) {
        case ENOSPC:
        case EDQUOT:
            text = "no space left on the disk that holds " + path +
                   ": free some, then `llm-research resume RUN`";
            break;
        case EFBIG:
            text =
                path +
                " may not grow further (limit on the size of a file, see `ulimit -f`): raise it, "
                "then `llm-research resume RUN`";
            break;
        case EROFS:
        case EACCES:
        case EPERM:
            text = "cannot " + std::string(action) + " " + path + " (" + reason +
                   "): make it writable, or set LLM_RESEARCH_HOME to a folder that is";
            break;
        default:
            text = "cannot " + std::string(action) + " " + path + ": " + reason;
            break;
    }
    return {Code::io, std::move(text)};
}

Status make_folders(const std::string& path) {
    std::filesystem::path so_far;
    for (const auto& part : std::filesystem::path(path)) {
        so_far /= part;
        if (::mkdir(so_far.c_str(), 0700) == 0) {
            continue;
        }
        const int number = errno;
        // A folder that exists may answer with another error than EEXIST on a read-only disk.
        struct stat info{};
        if (::stat(so_far.c_str(), &info) != 0) {
            return file_error("make the folder", so_far.string(), number);
        }
        if (!S_ISDIR(info.st_mode)) {
            return file_error("make the folder", so_far.string(), ENOTDIR);
        }
    }
    return ok();
}

Status sync_folder(const std::string& folder) {
    const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return file_error("open", folder, errno);
    }
    // Some file systems cannot sync a folder and say EINVAL; there is nothing more to do then.
    const int number = ::fsync(fd) == 0 || errno == EINVAL ? 0 : errno;
    ::close(fd);
    if (number != 0) {
        return file_error("write", folder, number);
    }
    return ok();
}

}  // namespace lab::storage
