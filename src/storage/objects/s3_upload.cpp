#include "base/text.h"
#include "storage/objects/file_error.h"
#include "storage/objects/impl/s3_call.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace lab::storage {
namespace {

constexpr std::int64_t kPartsMax = 10'000;
constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;
/// Servers put thousands of parts together before they answer.
constexpr Duration kCompletionMax = std::chrono::minutes(5);
/// For taking back the parts of an upload that failed, whatever became of its caller.
constexpr Duration kGiveUpTimeout = std::chrono::seconds(10);

/// A file that is open for reading.
class OpenFile {
  public:
    static Result<std::shared_ptr<const OpenFile>> open(const std::string& path) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            return file_error("read", path, errno);
        }
        struct stat info{};
        const bool is_file = ::fstat(fd, &info) == 0 && S_ISREG(info.st_mode);
        auto out = std::shared_ptr<const OpenFile>(new OpenFile(fd, path, info.st_size));
        if (!is_file) {
            return Error(Code::io, path + " is no file that can be sent");
        }
        return out;
    }
    ~OpenFile() { ::close(fd_); }
    OpenFile(const OpenFile&) = delete;
    OpenFile& operator=(const OpenFile&) = delete;

    std::int64_t bytes() const { return bytes_; }
    /// 0 at the end of the file and when it cannot be read.
    std::size_t read_at(std::int64_t offset, char* to, std::size_t bytes_max) const {
        while (true) {
            const ssize_t count = ::pread(fd_, to, bytes_max, offset);
            if (count >= 0 || errno != EINTR) {
                return count > 0 ? static_cast<std::size_t>(count) : 0;
            }
        }
    }
    Result<std::string> hash(std::int64_t first, std::int64_t bytes) const {
        Sha256 hash;
        std::array<char, 64 * 1024> buffer;
        for (std::int64_t at = 0; at < bytes;) {
            const auto wanted = std::min<std::int64_t>(std::ssize(buffer), bytes - at);
            const std::size_t count =
                read_at(first + at, buffer.data(), static_cast<std::size_t>(wanted));
            if (count == 0) {
                return Error(Code::io, path_ + " cannot be read, or has become shorter");
            }
            hash.update({buffer.data(), count});
            at += static_cast<std::int64_t>(count);
        }
        return to_hex(hash.finish());
    }

  private:
    OpenFile(int fd, std::string path, std::int64_t bytes)
        : fd_(fd), path_(std::move(path)), bytes_(bytes) {}
    int fd_;
    std::string path_;
    std::int64_t bytes_;
};

/// A part of a file as the body of a request.
class FileRange final : public http::BodySource {
  public:
    FileRange(std::shared_ptr<const OpenFile> file, std::int64_t first, std::int64_t bytes)
        : file_(std::move(file)), first_(first), bytes_(bytes) {}
    std::uint64_t size() const override { return static_cast<std::uint64_t>(bytes_); }
    std::size_t read(char* to, std::size_t bytes_max) override {
        const auto wanted = std::min<std::int64_t>(
            static_cast<std::int64_t>(std::min<std::size_t>(bytes_max, kMebibyte)), bytes_ - at_
        );
        const std::size_t count =
            file_->read_at(first_ + at_, to, static_cast<std::size_t>(wanted));
        at_ += static_cast<std::int64_t>(count);
        return count;
    }
    bool rewind() override {
        at_ = 0;
        return true;
    }

  private:
    std::shared_ptr<const OpenFile> file_;
    std::int64_t first_;
    std::int64_t bytes_;
    std::int64_t at_ = 0;
};

}  // namespace

struct S3Client::Upload {
    std::string key;
    std::shared_ptr<const OpenFile> file;
    S3PutOptions options;

    /// Makes `call` send this part of the file.
    Status fill(Call& call, std::int64_t first, std::int64_t bytes) const {
        LAB_TRY(call.payload_hash, file->hash(first, bytes));
        call.source = std::make_shared<FileRange>(file, first, bytes);
        return ok();
    }
};

Status S3Client::put_file(
    const Ctx& ctx, const std::string& key, const std::string& path, const S3PutOptions& options
) {
    LAB_CHECK(check_s3_key(key));
    Upload upload{.key = key, .file = {}, .options = options};
    LAB_TRY(upload.file, OpenFile::open(path));
    return upload.file->bytes() <= options_.part_bytes ? put_whole(ctx, upload)
                                                       : put_parts(ctx, upload);
}

Status S3Client::put_whole(const Ctx& ctx, const Upload& upload) {
    Call call{.method = "PUT", .key = upload.key, .headers = headers_of(upload.options)};
    LAB_CHECK(upload.fill(call, 0, upload.file->bytes()));
    LAB_CHECK(send(ctx, call));
    return ok();
}

Status S3Client::put_parts(const Ctx& ctx, const Upload& upload) {
    Call begin{.method = "POST", .key = upload.key, .query = {{"uploads", ""}}};
    begin.headers = {{"Content-Type", upload.options.content_type}};
    LAB_TRY(const http::Answer begun, send(ctx, begin));
    LAB_TRY(const std::string id, read_s3_upload(begun.body));
    const auto parts = send_parts(ctx, upload, id);
    const Status done = parts ? complete(ctx, upload, id, *parts) : Status(parts.error());
    if (!done) {
        give_up(upload, id);
    }
    return done;
}

Result<std::vector<S3Part>> S3Client::send_parts(
    const Ctx& ctx, const Upload& upload, const std::string& id
) {
    const std::int64_t total = upload.file->bytes();
    const std::int64_t least = (total + kPartsMax - 1) / kPartsMax;
    const std::int64_t size = least <= options_.part_bytes
                                  ? options_.part_bytes
                                  : (least + kMebibyte - 1) / kMebibyte * kMebibyte;
    std::vector<S3Part> out;
    for (std::int64_t at = 0; at < total; at += size) {
        S3Part& part = out.emplace_back();
        part.number = static_cast<int>(out.size());
        Call call{.method = "PUT", .key = upload.key};
        call.query = {{"partNumber", std::to_string(part.number)}, {"uploadId", id}};
        call.headers = {{"Content-Type", "application/octet-stream"}};
        LAB_CHECK(upload.fill(call, at, std::min(size, total - at)));
        LAB_TRY(const http::Answer answer, send(ctx, call));
        part.etag = http::find_header(answer.headers, "etag");
        if (part.etag.empty()) {
            return Error(
                Code::upstream_error, "the object store answers without the name of a part"
            );
        }
    }
    return out;
}

Status S3Client::complete(
    const Ctx& ctx, const Upload& upload, const std::string& id, const std::vector<S3Part>& parts
) {
    Call call{.method = "POST", .key = upload.key, .query = {{"uploadId", id}}};
    call.headers = {{"Content-Type", "application/xml"}};
    if (upload.options.only_if_absent) {
        call.headers.emplace_back("If-None-Match", "*");
    }
    call.body = write_s3_parts(parts);
    call.payload_hash = sha256_hex(call.body);
    call.check = read_s3_completion;
    call.patience = kCompletionMax;
    LAB_CHECK(send(ctx, call));
    return ok();
}

/// Parts that nobody completes are paid for until somebody takes them back.
void S3Client::give_up(const Upload& upload, const std::string& id) {
    Call call{.method = "DELETE", .key = upload.key, .query = {{"uploadId", id}}};
    // What is left when this fails too is for the bucket's own rule on uploads that were not
    // completed (docs/operations).
    static_cast<void>(send(Ctx(clock_).within(kGiveUpTimeout), call));
}

}  // namespace lab::storage
