#include "storage/objects/tar.h"

#include "storage/objects/file_error.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <vector>

namespace lab::storage {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameBytes = 100;
constexpr std::size_t kModeAt = 100;
constexpr std::size_t kSizeAt = 124;
constexpr std::size_t kTimeAt = 136;
constexpr std::size_t kSumAt = 148;
constexpr std::size_t kTypeAt = 156;
constexpr std::size_t kMagicAt = 257;
constexpr std::string_view kMagic{"ustar\00000", 8};
constexpr std::size_t kPrefixAt = 345;
constexpr std::uint64_t kOctalMax = (std::uint64_t{1} << 33) - 1;
constexpr std::size_t kPieceBytes = 256U << 10;

using Block = std::array<char, kBlock>;

/// Sums are taken with blanks where the sum stands.
unsigned sum_of(const Block& block) {
    unsigned sum = 0;
    for (std::size_t i = 0; i < kBlock; ++i) {
        sum += i >= kSumAt && i < kSumAt + 8 ? 0x20U : static_cast<unsigned char>(block[i]);
    }
    return sum;
}

void put_octal(Block& block, std::size_t at, std::size_t digits, std::uint64_t value) {
    for (std::size_t i = digits; i > 0; --i) {
        block[at + i - 1] = static_cast<char>('0' + value % 8);
        value /= 8;
    }
}

/// nullopt: it is no number.
std::optional<std::uint64_t> take_octal(const Block& block, std::size_t at, std::size_t bytes) {
    std::uint64_t out = 0;
    bool has_digits = false;
    for (std::size_t i = at; i < at + bytes; ++i) {
        if (block[i] == '\0' || block[i] == ' ') {
            if (has_digits) {
                return out;
            }
            continue;
        }
        if (block[i] < '0' || block[i] > '7') {
            return std::nullopt;
        }
        has_digits = true;
        out = out * 8 + static_cast<std::uint64_t>(block[i] - '0');
    }
    return has_digits ? std::optional(out) : std::nullopt;
}

void put_size(Block& block, std::uint64_t size) {
    if (size <= kOctalMax) {
        put_octal(block, kSizeAt, 11, size);
        return;
    }
    block[kSizeAt] = static_cast<char>(0x80);
    for (std::size_t i = 0; i < 8; ++i) {
        block[kSizeAt + 11 - i] = static_cast<char>(size >> (8 * i) & 0xffU);
    }
}

std::optional<std::uint64_t> take_size(const Block& block) {
    if (static_cast<unsigned char>(block[kSizeAt]) != 0x80) {
        return take_octal(block, kSizeAt, 12);
    }
    std::uint64_t out = 0;
    for (std::size_t i = kSizeAt + 4; i < kSizeAt + 12; ++i) {
        out = out << 8U | static_cast<unsigned char>(block[i]);
    }
    return out >> 62U == 0 ? std::optional(out) : std::nullopt;
}

std::uint64_t padding_of(std::uint64_t size) { return (kBlock - size % kBlock) % kBlock; }

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    int get() const { return fd_; }

  private:
    int fd_;
};

/// How many bytes there were: fewer only at the end of the file.
Result<std::size_t> read_all(int fd, const std::string& path, char* to, std::size_t bytes) {
    std::size_t done = 0;
    while (done < bytes) {
        const ssize_t got = ::read(fd, to + done, bytes - done);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return file_error("read", path, errno);
        }
        if (got == 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

Error cut_off(const std::string& path) {
    return {Code::io, path + " is cut off: it is not a whole archive"};
}

Error no_archive(const std::string& path, const char* why) {
    return {Code::validation, path + " is no archive of this program: " + why};
}

/// "a/b.c": within the folder it is read into, and plain.
bool is_plain_name(std::string_view name) {
    bool is_start = true;
    for (std::size_t i = 0; i < name.size(); ++i) {
        const char c = name[i];
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.' || c == '/';
        if (!plain || (is_start && (c == '.' || c == '/'))) {
            return false;
        }
        is_start = c == '/';
    }
    return !is_start;
}

}  // namespace

struct TarWriter::File {
    std::string path;       ///< as it is called in the end
    std::string temporary;  ///< empty: it has its name
    int fd = -1;

    Status write(std::string_view bytes) const {
        while (!bytes.empty()) {
            const ssize_t put = ::write(fd, bytes.data(), bytes.size());
            if (put < 0 && errno == EINTR) {
                continue;
            }
            if (put < 0) {
                return file_error("write", path, errno);
            }
            bytes.remove_prefix(static_cast<std::size_t>(put));
        }
        return ok();
    }
    Status pad(std::uint64_t size) const { return write(std::string(padding_of(size), '\0')); }
    ~File() {
        if (fd >= 0) {
            ::close(fd);
        }
        if (!temporary.empty()) {
            ::unlink(temporary.c_str());
        }
    }
};

TarWriter::TarWriter(std::unique_ptr<File> file) : file_(std::move(file)) {}
TarWriter::TarWriter(TarWriter&& other) noexcept = default;
TarWriter::~TarWriter() = default;

Result<TarWriter> TarWriter::create(const std::string& path) {
    if (::access(path.c_str(), F_OK) == 0) {
        return Error(Code::conflict, path + " is there already: name a new file");
    }
    auto file = std::make_unique<File>();
    file->path = path;
    const std::string temporary = path + ".part";
    file->fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file->fd < 0) {
        return file_error("write", temporary, errno);
    }
    file->temporary = temporary;
    return TarWriter(std::move(file));
}

Status TarWriter::add_head(std::string_view name, std::uint64_t size) {
    LAB_ASSERT(name.size() <= kNameBytes && is_plain_name(name), "names of entries are short");
    Block block{};
    std::ranges::copy(name, block.begin());
    put_octal(block, kModeAt, 7, 0600);
    put_octal(block, kModeAt + 8, 7, 0);
    put_octal(block, kModeAt + 16, 7, 0);
    put_size(block, size);
    put_octal(block, kTimeAt, 11, 0);
    block[kTypeAt] = '0';
    std::ranges::copy(kMagic, block.begin() + kMagicAt);
    put_octal(block, kSumAt, 6, sum_of(block));
    block[kSumAt + 7] = ' ';
    return file_->write({block.data(), block.size()});
}

Status TarWriter::add_text(std::string_view name, std::string_view text) {
    LAB_CHECK(add_head(name, text.size()));
    LAB_CHECK(file_->write(text));
    return file_->pad(text.size());
}

Result<bool> TarWriter::add_file(std::string_view name, const std::string& path) {
    const Descriptor from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (from.get() < 0 && errno == ENOENT) {
        return false;
    }
    struct stat info{};
    if (from.get() < 0 || ::fstat(from.get(), &info) != 0) {
        return file_error("read", path, errno);
    }
    const auto size = static_cast<std::uint64_t>(info.st_size);
    LAB_CHECK(add_head(name, size));
    std::vector<char> piece(kPieceBytes);
    std::uint64_t left = size;
    while (left > 0) {
        const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, piece.size()));
        LAB_TRY(const std::size_t got, read_all(from.get(), path, piece.data(), want));
        if (got != want) {
            return Error(Code::io, path + " became shorter while it was read");
        }
        LAB_CHECK(file_->write({piece.data(), got}));
        left -= got;
    }
    LAB_CHECK(file_->pad(size));
    return true;
}

Status TarWriter::finish() {
    LAB_CHECK(file_->write(std::string(2 * kBlock, '\0')));
    if (::fsync(file_->fd) != 0) {
        return file_error("write", file_->path, errno);
    }
    if (::rename(file_->temporary.c_str(), file_->path.c_str()) != 0) {
        return file_error("write", file_->path, errno);
    }
    file_->temporary.clear();
    const std::size_t slash = file_->path.find_last_of('/');
    return sync_folder(slash == std::string::npos ? "." : file_->path.substr(0, slash + 1));
}

namespace {

/// The head of the next entry; nullopt at the end of the archive.
Result<std::optional<TarEntry>> read_head(int fd, const std::string& path) {
    Block block{};
    LAB_TRY(const std::size_t got, read_all(fd, path, block.data(), kBlock));
    if (got != kBlock) {
        return cut_off(path);
    }
    if (std::ranges::all_of(block, [](char c) { return c == '\0'; })) {
        return std::optional<TarEntry>();
    }
    const std::string_view magic(block.data() + kMagicAt, 5);
    if (magic != kMagic.substr(0, 5) || take_octal(block, kSumAt, 8) != sum_of(block)) {
        return no_archive(path, "a head is damaged");
    }
    const auto size = take_size(block);
    if (!size || (block[kTypeAt] != '0' && block[kTypeAt] != '\0')) {
        return no_archive(path, "it holds more than plain files");
    }
    const std::string_view field(block.data(), kNameBytes);
    const std::string name(field.substr(0, field.find('\0')));
    if (!is_plain_name(name) || block[kPrefixAt] != '\0') {
        return no_archive(path, "a name in it is none of ours");
    }
    return std::optional(TarEntry{.name = name, .size = *size, .read = {}});
}

}  // namespace

Status read_tar(const std::string& path, const std::function<Status(TarEntry& entry)>& on_entry) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) {
        return file_error("read", path, errno);
    }
    for (;;) {
        LAB_TRY(std::optional<TarEntry> next, read_head(file.get(), path));
        if (!next) {
            return ok();
        }
        TarEntry& entry = *next;
        std::uint64_t left = entry.size;
        entry.read = [&](char* to, std::size_t bytes_max) -> Result<std::size_t> {
            const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(left, bytes_max));
            LAB_TRY(const std::size_t got, read_all(file.get(), path, to, want));
            left -= got;
            return got == want ? Result<std::size_t>(got) : cut_off(path);
        };
        LAB_CHECK(on_entry(entry));
        const auto skip = static_cast<off_t>(left + padding_of(entry.size));
        if (::lseek(file.get(), skip, SEEK_CUR) < 0) {
            return file_error("read", path, errno);
        }
    }
}

}  // namespace lab::storage
