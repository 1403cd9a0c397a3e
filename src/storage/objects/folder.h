#pragma once
#include "base/result.h"
#include "platform/crypto/sha256.h"
#include "storage/objects/object_store.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace lab::storage {

/// Content-addressed files under one folder: <root>/<2 digits>/<62 digits>. Writers stream into a
/// temporary file (<root>/tmp) that is synced and renamed, so an object is whole or absent; what a
/// killed writer left there is removed by the next one. Any thread; a Writer belongs to one.
///
/// With a store behind it the folder is what this machine has of that store: an object is put there
/// by keep() before anybody is told of it, comes back by fetch() where it is needed, and files that
/// the store has too go again when there are too many of them.
class ObjectFolder {
  public:
    explicit ObjectFolder(std::string root) : root_(std::move(root)) {}
    /// `bytes_max`: how much may lie here of what the store has too.
    ObjectFolder(std::string root, std::shared_ptr<ObjectStore> store, std::int64_t bytes_max)
        : root_(std::move(root)), store_(std::move(store)), bytes_max_(bytes_max) {}

    class Writer {
      public:
        /// Leaves nothing behind unless committed.
        ~Writer();
        Writer(Writer&&) noexcept;
        Writer& operator=(Writer&&) = delete;
        Status write(std::string_view bytes);
        /// Names the object by the SHA-256 of what was written, 64 hexadecimal digits.
        Result<std::string> commit();

      private:
        friend class ObjectFolder;
        struct Impl;
        explicit Writer(std::unique_ptr<Impl> impl);
        std::unique_ptr<Impl> impl_;
    };
    /// Errors: io (no space, read-only, no permission), in words with the folder's path.
    Result<Writer> create() const;
    bool contains(const std::string& hash) const;
    /// Where its file is, or would be.
    std::string path_of(const std::string& hash) const;

    /// Whether objects are kept elsewhere too.
    bool has_store() const { return store_ != nullptr; }
    /// Puts a committed object into the store; without one there is nothing to do. Errors: those of
    /// the store, io.
    Status keep(const Ctx& ctx, const ObjectName& name, const std::string& content_type) const;
    /// The path of its file, brought from the store when it is not here; good for ten minutes,
    /// longer for who has opened it. Errors: those of the store, upstream_error when that has lost
    /// it or holds other bytes, io. Without a store: the path, whether or not there is a file.
    Result<std::string> fetch(const Ctx& ctx, const ObjectName& name) const;
    /// Takes it from the store; the file stays. Errors: those of the store.
    Status forget(const Ctx& ctx, const ObjectName& name) const;
    /// Removes the files that the store has too and that were not used for longest, until the limit
    /// holds; fetch() calls it. None that was used in the last ten minutes. Gives how many went.
    std::size_t trim() const;
    /// Where files wait for their name.
    std::string temporary_folder() const { return root_ + "/tmp"; }
    const std::string& root() const { return root_; }

  private:
    std::string root_;
    std::shared_ptr<ObjectStore> store_;
    std::int64_t bytes_max_ = 0;
};

/// The hash of an object whose file has this path in a folder of some machine; empty: it is none.
std::string hash_of_path(std::string_view path);

}  // namespace lab::storage
