#include "storage/objects/dataset_file.h"

#include "base/text.h"
#include "platform/crypto/sha256.h"
#include "storage/objects/file_error.h"
#include "storage/objects/impl/row_index.h"
#include "storage/objects/impl/temp_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>

namespace lab::storage {
namespace {

/// Of the row file this much is resident at most, and is counted as ours.
constexpr std::uint64_t kResidentBytesMax = 32U << 20;
/// The kernel maps this much around a page that is touched.
constexpr std::uint64_t kBlockBytes = 64U << 10;
constexpr std::uint64_t kBlocksMax = kResidentBytesMax / kBlockBytes;

/// A file, read-only in memory.
class Mapping {
  public:
    static Result<Mapping> open(const std::string& path) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            return file_error("read", path, errno);
        }
        struct stat info{};
        int number = ::fstat(fd, &info) == 0 ? 0 : errno;
        if (number == 0 && !S_ISREG(info.st_mode)) {
            number = S_ISDIR(info.st_mode) ? EISDIR : EINVAL;
        }
        Mapping mapping;
        if (number == 0 && info.st_size > 0) {
            const auto size = static_cast<std::size_t>(info.st_size);
            void* const address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
            if (address == MAP_FAILED) {
                number = errno;
            } else {
                mapping.bytes_ = {static_cast<const char*>(address), size};
            }
        }
        ::close(fd);
        if (number != 0) {
            return file_error("read", path, number);
        }
        return mapping;
    }
    Mapping() = default;
    Mapping(Mapping&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}
    Mapping& operator=(Mapping&& other) noexcept {
        std::swap(bytes_, other.bytes_);
        return *this;
    }
    ~Mapping() {
        if (!bytes_.empty()) {
            ::munmap(address(), bytes_.size());
        }
    }
    std::string_view bytes() const { return bytes_; }
    /// Resident pages go; what is read again comes back from the page cache. Views stay valid.
    void release() const {
        if (!bytes_.empty()) {
            ::madvise(address(), bytes_.size(), MADV_DONTNEED);
        }
    }

  private:
    void* address() const { return const_cast<char*>(bytes_.data()); }
    std::string_view bytes_;
};

/// Calls each(bytes of a row with its newline); gives back pages on the way. A last row without a
/// newline is an error: the file was cut.
template <class Each>
Status for_each_line(const Mapping& file, const std::string& path, const Each& each) {
    const std::string_view bytes = file.bytes();
    std::size_t released = 0;
    for (std::size_t start = 0; start < bytes.size();) {
        const auto* const newline =
            static_cast<const char*>(std::memchr(bytes.data() + start, '\n', bytes.size() - start));
        if (newline == nullptr) {
            return Error(
                Code::io, path + " is damaged: its last row is cut off. Import the dataset again"
            );
        }
        const auto end = static_cast<std::size_t>(newline - bytes.data()) + 1;
        LAB_CHECK(each(bytes.substr(start, end - start)));
        start = end;
        if (start - released > kResidentBytesMax) {
            file.release();
            released = start;
        }
    }
    return ok();
}

/// Where an index of `path` is written until it has its name: beside other temporary files when the
/// rows are an object (<root>/ab/cdef...), else beside the rows.
std::string temporary_folder_for(const std::string& path) {
    const std::size_t slash = path.find_last_of('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash);
    return path.size() - slash - 1 == 62 && folder.size() > 2 ? folder + "/../tmp" : folder;
}

}  // namespace

struct DatasetFile::Impl {
    std::string path;
    Mapping data;
    Mapping index;
    std::string own_index;    ///< where none can be kept beside the rows
    std::string_view starts;  ///< the index in use
    std::int64_t rows = 0;
    mutable std::atomic<std::uint64_t> last_block{~std::uint64_t{0}};
    mutable std::atomic<std::uint64_t> blocks_read{0};

    bool use_index(std::string_view candidate);
    bool load_index();
    Status rebuild_index();
    Status build_index(const std::function<Status(std::string&)>& sink) const;
    void note_read(std::uint64_t start, std::uint64_t end) const;
};

bool DatasetFile::Impl::use_index(std::string_view candidate) {
    if (!is_row_index_of(candidate, data.bytes().size())) {
        return false;
    }
    starts = candidate;
    rows = static_cast<std::int64_t>((candidate.size() - kRowIndexFooterBytes) / 8);
    return true;
}

bool DatasetFile::Impl::load_index() {
    auto mapped = Mapping::open(path + ".idx");
    if (!mapped) {
        return false;
    }
    index = std::move(*mapped);
    return use_index(index.bytes());
}

/// Makes the index and hands it to `sink` in pieces; the sink takes what it wants and clears it.
Status DatasetFile::Impl::build_index(const std::function<Status(std::string&)>& sink) const {
    RowIndexEncoder encoder;
    std::string piece;
    LAB_CHECK(for_each_line(data, path, [&](std::string_view line) -> Status {
        encoder.add(line.size(), piece);
        return piece.size() < kBlockBytes ? ok() : sink(piece);
    }));
    data.release();
    encoder.finish(piece);
    return sink(piece);
}

Status DatasetFile::Impl::rebuild_index() {
    auto file = TempFile::create(temporary_folder_for(path));
    if (file) {
        LAB_CHECK(build_index([&](std::string& piece) {
            Status status = file->write(piece);
            piece.clear();
            return status;
        }));
        if (file->keep_as(path + ".idx") && load_index()) {
            return ok();
        }
    }
    // The folder is read-only or full, which need not keep anybody from reading the rows.
    own_index.clear();
    LAB_CHECK(build_index([&](std::string& piece) {
        own_index += piece;
        piece.clear();
        return ok();
    }));
    LAB_ASSERT(use_index(own_index), "an index that was just made fits its file");
    return ok();
}

/// Counts blocks that were mapped by reading, and gives everything back when they are many: pages
/// of a file count as memory of the process that maps them. Two threads may both count a block or
/// both give back; neither does harm.
void DatasetFile::Impl::note_read(std::uint64_t start, std::uint64_t end) const {
    if (data.bytes().size() <= kResidentBytesMax) {
        return;
    }
    const std::uint64_t first = start / kBlockBytes;
    const std::uint64_t last = (end - 1) / kBlockBytes;
    if (last_block.exchange(last, std::memory_order_relaxed) == first && first == last) {
        return;
    }
    const std::uint64_t blocks = last - first + 1;
    if (blocks_read.fetch_add(blocks, std::memory_order_relaxed) + blocks >= kBlocksMax) {
        blocks_read.store(0, std::memory_order_relaxed);
        data.release();
    }
}

DatasetFile::DatasetFile(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
DatasetFile::DatasetFile(DatasetFile&&) noexcept = default;
DatasetFile& DatasetFile::operator=(DatasetFile&&) noexcept = default;
DatasetFile::~DatasetFile() = default;

Result<DatasetFile> DatasetFile::open(const std::string& path) {
    auto impl = std::make_unique<Impl>();
    impl->path = path;
    LAB_TRY(impl->data, Mapping::open(path));
    if (!impl->load_index()) {
        LAB_CHECK(impl->rebuild_index());
    }
    return DatasetFile(std::move(impl));
}

std::int64_t DatasetFile::rows() const { return impl_->rows; }

std::string_view DatasetFile::row(std::int64_t index) const {
    LAB_ASSERT(index >= 0 && index < impl_->rows, "a row is asked inside the dataset");
    const auto position = static_cast<std::uint64_t>(index);
    const std::string_view bytes = impl_->data.bytes();
    const std::uint64_t start = row_start(impl_->starts, position);
    const std::uint64_t end =
        index + 1 < impl_->rows ? row_start(impl_->starts, position + 1) : bytes.size();
    impl_->note_read(start, end);
    return bytes.substr(start, end - start - 1);
}

Status DatasetFile::verify() const {
    Sha256 hash;
    LAB_CHECK(for_each_line(impl_->data, impl_->path, [&](std::string_view line) {
        hash.update(line);
        return ok();
    }));
    const std::string found = to_hex(hash.finish());
    std::string named = impl_->path;
    std::erase(named, '/');
    if (!named.ends_with(found)) {
        return Error(
            Code::io,
            impl_->path + " is damaged: its rows have the SHA-256 " + found +
                ". Import the dataset again"
        );
    }
    return ok();
}

}  // namespace lab::storage
