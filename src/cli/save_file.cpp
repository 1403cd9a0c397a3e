#include "cli/save_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace lab::cli {

namespace fs = std::filesystem;

Status save_file(const std::string& path, const std::function<Status(std::FILE*)>& write) {
    std::error_code code;
    const bool in_place = fs::exists(path, code) && !fs::is_regular_file(path, code);
    const std::string temporary = in_place ? path : path + ".tmp";
    const auto cannot = [&](int number) {
        return Error(Code::io, "cannot write " + path + ": " + std::strerror(number));
    };
    std::FILE* const file = std::fopen(temporary.c_str(), "wb");
    if (file == nullptr) {
        return cannot(errno);
    }
    const Status written = write(file);
    const int number = std::fclose(file) == 0 ? 0 : errno;
    code.clear();
    if (written && number == 0) {
        if (!in_place) {
            fs::rename(temporary, path, code);
        }
        return code ? Status(cannot(code.value())) : ok();
    }
    if (!in_place) {
        fs::remove(temporary, code);
    }
    if (!written && written.error().code == Code::io) {
        return Error(Code::io, path + ": " + written.error().message);
    }
    return written ? Status(cannot(number)) : written;
}

}  // namespace lab::cli
