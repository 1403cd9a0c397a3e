#pragma once
#include "base/result.h"
#include "platform/crypto/sha256.h"

#include <memory>
#include <string>
#include <string_view>

namespace lab::storage {

/// Content-addressed files under one folder: <root>/<2 digits>/<62 digits>. Writers stream into a
/// temporary file (<root>/tmp) that is synced and renamed, so an object is whole or absent; what a
/// killed writer left there is removed by the next one. Any thread; a Writer belongs to one.
class ObjectFolder {
  public:
    explicit ObjectFolder(std::string root) : root_(std::move(root)) {}

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
    std::string path_of(const std::string& hash) const;
    /// Where files wait for their name.
    std::string temporary_folder() const { return root_ + "/tmp"; }
    const std::string& root() const { return root_; }

  private:
    std::string root_;
};

}  // namespace lab::storage
