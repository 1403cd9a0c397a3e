#include "storage/objects/file_error.h"
#include "storage/objects/folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <filesystem>

// What a folder has to do with the store behind it.
namespace lab::storage {
namespace {

namespace fs = std::filesystem;

/// So that a path that was given out can be opened.
constexpr std::int64_t kGraceSeconds = 600;

/// A file that its owner may not write is one that the store has too. An object that is written
/// again is another file, and has to be put into the store again before it counts.
constexpr mode_t kKeptMode = 0400;

bool is_kept(const struct stat& info) { return (info.st_mode & S_IWUSR) == 0; }

void set_used(const std::string& path) { ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0); }

struct KeptFile {
    std::string path;
    std::int64_t bytes = 0;
    std::int64_t used_at = 0;  ///< Unix seconds
};

std::vector<KeptFile> kept_files(const std::string& root) {
    std::vector<KeptFile> out;
    std::error_code code;
    for (const auto& part : fs::directory_iterator(root, code)) {
        std::error_code inner;
        if (part.path().filename().string().size() != 2) {
            continue;
        }
        for (const auto& file : fs::directory_iterator(part.path(), inner)) {
            struct stat info{};
            std::string path = file.path().string();
            if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && is_kept(info)) {
                out.push_back({std::move(path), info.st_size, info.st_mtim.tv_sec});
            }
        }
    }
    return out;
}

/// By the clock of the file system's own time stamps.
std::int64_t seconds_now() {
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

}  // namespace

ObjectName rows_object(const std::string& hash) {
    return {.hash = hash, .key = "datasets/sha256/" + hash + "/data.jsonl"};
}

Status ObjectFolder::keep(const Ctx& ctx, const ObjectName& name, const std::string& content_type)
    const {
    if (!store_) {
        return ok();
    }
    const std::string path = path_of(name.hash);
    if (Status put = store_->put_file(ctx, name.key, path, content_type); !put) {
        return contains(name.hash)
                   ? put
                   : Error(Code::unavailable, "the same bytes are being removed: send them again");
    }
    ::chmod(path.c_str(), kKeptMode);
    return ok();
}

Result<std::string> ObjectFolder::fetch(const Ctx& ctx, const ObjectName& name) const {
    std::string path = path_of(name.hash);
    if (!store_ || contains(name.hash)) {
        if (store_) {
            set_used(path);
        }
        return path;
    }
    LAB_TRY(Writer writer, create());
    Status written = ok();
    const Status got = store_->get(ctx, name.key, [&](std::string_view bytes) {
        written = writer.write(bytes);
        return written.has_value();
    });
    LAB_CHECK(written);
    if (!got && got.error().code == Code::not_found) {
        return Error(Code::upstream_error, "the object store has lost an object: " + name.key);
    }
    LAB_CHECK(got);
    LAB_TRY(const std::string hash, writer.commit());
    if (hash != name.hash) {
        return Error(
            Code::upstream_error,
            "the object store holds other bytes than it was given: " + name.key
        );
    }
    ::chmod(path.c_str(), kKeptMode);
    trim();
    return path;
}

Status ObjectFolder::forget(const Ctx& ctx, const ObjectName& name) const {
    return store_ ? store_->remove(ctx, name.key) : ok();
}

std::size_t ObjectFolder::trim() const {
    if (!store_) {
        return 0;
    }
    std::vector<KeptFile> files = kept_files(root_);
    std::int64_t total = 0;
    for (const KeptFile& file : files) {
        total += file.bytes;
    }
    std::ranges::sort(files, {}, &KeptFile::used_at);
    const std::int64_t limit = seconds_now() - kGraceSeconds;
    std::size_t out = 0;
    for (const KeptFile& file : files) {
        if (total <= bytes_max_ || file.used_at >= limit) {
            break;
        }
        ::unlink((file.path + ".idx").c_str());
        out += ::unlink(file.path.c_str()) == 0 ? 1 : 0;
        total -= file.bytes;
    }
    return out;
}

}  // namespace lab::storage
