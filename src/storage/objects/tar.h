#pragma once
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace lab::storage {

// Archives as `tar` reads and writes them (POSIX.1-2017, "ustar Interchange Format"; sizes from 8
// GiB on in the form of GNU tar), with plain files of short names and nothing else.

/// A new archive that only its owner may read; nothing is left of one that was not finished. Not
/// shared.
class TarWriter {
  public:
    /// Errors: conflict when there is such a file; io.
    static Result<TarWriter> create(const std::string& path);
    TarWriter(TarWriter&& other) noexcept;
    TarWriter& operator=(TarWriter&&) = delete;
    ~TarWriter();
    /// `name`: at most 100 bytes. Errors: io.
    Status add_text(std::string_view name, std::string_view text);
    /// The bytes of a file. false: there is no such file any more. Errors: io, also when it changes
    /// its size meanwhile.
    Result<bool> add_file(std::string_view name, const std::string& path);
    /// Ends the archive and brings it to the disk, under its name.
    Status finish();

  private:
    struct File;
    explicit TarWriter(std::unique_ptr<File> file);
    Status add_head(std::string_view name, std::uint64_t size);
    std::unique_ptr<File> file_;
};

/// An entry as it is read: call `read` until it gives 0 bytes, or leave the rest.
struct TarEntry {
    std::string name;
    std::uint64_t size = 0;
    /// Gives the number of bytes. Errors: io, also for an archive that is cut off.
    std::function<Result<std::size_t>(char* to, std::size_t bytes_max)> read;
};

/// Reads an archive from front to back. Errors: io; validation for what is no archive of ours:
/// links, folders, wrong sums, names that lead anywhere else; those of `on_entry`.
Status read_tar(const std::string& path, const std::function<Status(TarEntry& entry)>& on_entry);

}  // namespace lab::storage
