#include "storage/objects/folder.h"

#include "base/text.h"
#include "storage/objects/file_error.h"
#include "storage/objects/impl/temp_file.h"

#include <unistd.h>

#include <algorithm>

namespace lab::storage {

struct ObjectFolder::Writer::Impl {
    ObjectFolder folder;
    TempFile file;
    Sha256 hash;
};

ObjectFolder::Writer::Writer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ObjectFolder::Writer::~Writer() = default;
ObjectFolder::Writer::Writer(Writer&&) noexcept = default;

Status ObjectFolder::Writer::write(std::string_view bytes) {
    LAB_ASSERT(impl_ != nullptr, "an object is written before it is committed");
    impl_->hash.update(bytes);
    return impl_->file.write(bytes);
}

Result<std::string> ObjectFolder::Writer::commit() {
    LAB_ASSERT(impl_ != nullptr, "an object is committed once");
    const std::unique_ptr<Impl> impl = std::move(impl_);
    std::string hash = to_hex(impl->hash.finish());
    // One of this name that is there already is replaced all the same: should it have been damaged,
    // it is whole again.
    const std::string path = impl->folder.path_of(hash);
    LAB_CHECK(make_folders(path.substr(0, path.find_last_of('/'))));
    LAB_CHECK(impl->file.keep_as(path));
    LAB_CHECK(sync_folder(impl->folder.root()));
    return hash;
}

Result<ObjectFolder::Writer> ObjectFolder::create() const {
    remove_abandoned_files(temporary_folder());
    LAB_TRY(auto file, TempFile::create(temporary_folder()));
    return Writer(std::make_unique<Writer::Impl>(*this, std::move(file), Sha256()));
}

bool ObjectFolder::contains(const std::string& hash) const {
    return ::access(path_of(hash).c_str(), F_OK) == 0;
}

std::string hash_of_path(std::string_view path) {
    constexpr std::size_t kBytes = 65;  // "ab/" and 62 digits
    if (path.size() <= kBytes || path[path.size() - kBytes - 1] != '/') {
        return "";
    }
    const std::string_view end = path.substr(path.size() - kBytes);
    std::string out(end.substr(0, 2));
    out += end.substr(3);
    const bool digits = std::ranges::all_of(out, [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
    });
    return end[2] == '/' && digits ? out : "";
}

std::string ObjectFolder::path_of(const std::string& hash) const {
    LAB_ASSERT(hash.size() == 64, "an object is named by 64 hexadecimal digits");
    return root_ + "/" + hash.substr(0, 2) + "/" + hash.substr(2);
}

}  // namespace lab::storage
