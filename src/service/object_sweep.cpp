#include "service/object_sweep.h"

#include "storage/objects/folder.h"
#include "storage/store/artifacts.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

namespace lab::service {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kObjectsMax = 100'000;
constexpr std::size_t kHashDigits = 64;

bool is_hash(std::string_view text) {
    return text.size() == kHashDigits && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

/// Whether the file is there and was last written before `limit` (Unix seconds).
bool is_older(const std::string& path, std::int64_t limit) {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0 && info.st_mtim.tv_sec < limit;
}

/// Hashes of the objects whose files are older than that.
std::vector<std::string> old_objects(const storage::ObjectFolder& objects, std::int64_t limit) {
    std::vector<std::string> out;
    std::error_code code;
    for (const auto& part : fs::directory_iterator(objects.root(), code)) {
        const std::string prefix = part.path().filename().string();
        if (prefix.size() != 2) {
            continue;
        }
        std::error_code inner;
        for (const auto& file : fs::directory_iterator(part.path(), inner)) {
            std::string hash = prefix + file.path().filename().string();
            if (is_hash(hash) && is_older(file.path().string(), limit)) {
                out.push_back(std::move(hash));
            }
            if (out.size() == kObjectsMax) {
                return out;
            }
        }
    }
    return out;
}

}  // namespace

Result<std::size_t> sweep_objects(const Request& request, Duration age) {
    LAB_TRY(const storage::ObjectFolder* const objects, request.deps.objects());
    const auto limit = std::chrono::duration_cast<std::chrono::seconds>(
                           (request.deps.clock->wall() - age).time_since_epoch()
    )
                           .count();
    storage::Artifacts artifacts(request.session);
    std::size_t out = 0;
    for (const std::string& hash : old_objects(*objects, limit)) {
        LAB_CHECK(request.ctx.check());
        LAB_TRY(const bool wanted, artifacts.is_needed(request.ctx, hash));
        if (wanted) {
            continue;
        }
        LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
        LAB_CHECK(artifacts.hold_object(request.ctx, hash));
        LAB_TRY(const bool needed, artifacts.is_needed(request.ctx, hash));
        const std::string path = objects->path_of(hash);
        // Written again meanwhile: somebody is about to need it.
        if (!needed && is_older(path, limit)) {
            ::unlink((path + ".idx").c_str());
            out += ::unlink(path.c_str()) == 0 ? 1 : 0;
        }
        LAB_CHECK(transaction.commit(request.ctx));
    }
    return out + objects->trim();
}

}  // namespace lab::service
