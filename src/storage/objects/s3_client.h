#pragma once
#include "base/rng.h"
#include "platform/aws/credential_chain.h"
#include "storage/objects/s3_address.h"
#include "storage/objects/s3_answers.h"

namespace lab::storage {

struct S3Options {
    S3Place place;
    /// Files above this are sent in parts. S3 takes parts from 5 MiB on, and 10,000 at most: larger
    /// files get larger parts.
    std::int64_t part_bytes = std::int64_t{16} << 20;
    int attempts_max = 4;
    Duration backoff_first = std::chrono::milliseconds(100);  ///< doubled each time, full jitter
    Duration backoff_max = std::chrono::seconds(5);
    Duration connect_timeout = std::chrono::seconds(3);
    /// Of one attempt, and as much again as its body takes at 256 KiB/s. After one that ran out of
    /// time there is one more.
    Duration call_timeout = std::chrono::seconds(10);
    /// How long nobody is kept waiting for a server that just did not answer: calls fail at once.
    Duration away_pause = std::chrono::seconds(5);
};

struct S3PutOptions {
    std::string content_type = "application/octet-stream";
    /// Errors: precondition_failed when there is one of that key. After an attempt whose answer got
    /// lost, that one may be ours.
    bool only_if_absent = false;
};

/// Bytes `first` to `last`, both included.
struct S3Range {
    std::int64_t first = 0;
    std::optional<std::int64_t> last = {};
};

/// Gets an object in pieces, each byte once and in order; false = enough.
using S3Sink = std::function<bool(std::string_view bytes)>;

/// A bucket of a server that speaks S3 (REST API of 2006-03-01, signature version 4). Calls wait on
/// the thread that asks, end with their Ctx, and are tried again while the problem is a passing
/// one. Bodies are signed with their SHA-256, so a server refuses what was damaged on the way.
/// Memory does not grow with an object. Any thread.
///
/// Errors of all: validation for a key that check_s3_key refuses; those of S3Failure and of the
/// credentials; those of `ctx`.
class S3Client {
  public:
    /// All outlive it. `seed`: of the jitter.
    S3Client(
        S3Options options,
        const Clock& clock,
        http::BlockingClient& http,
        aws::CredentialChain& credentials,
        std::uint64_t seed
    );

    /// Replaces an object of the same key.
    Status put(
        const Ctx& ctx,
        const std::string& key,
        std::string_view bytes,
        const S3PutOptions& options = {}
    );
    /// The same from a file, in parts where it is large; parts of an upload that fails are taken
    /// back. The file must not change meanwhile. Errors: io as well.
    Status put_file(
        const Ctx& ctx,
        const std::string& key,
        const std::string& path,
        const S3PutOptions& options = {}
    );
    /// Errors: not_found; payload_too_large above `bytes_max`.
    Result<std::string> get(const Ctx& ctx, const std::string& key, std::size_t bytes_max);
    /// Hands the bytes on as they come; when the connection breaks, goes on where it was, on the
    /// same state of the object. `sink` says false: cancelled. Errors: not_found; bad_request for a
    /// range that begins behind the end.
    Status get(
        const Ctx& ctx, const std::string& key, std::optional<S3Range> range, const S3Sink& sink
    );
    /// nullopt: there is none.
    Result<std::optional<S3Object>> find(const Ctx& ctx, const std::string& key);
    /// An object that is not there is removed as well.
    Status remove(const Ctx& ctx, const std::string& key);
    /// Keys that begin with `prefix`, in the order of their bytes. `token`: next of the page
    /// before.
    Result<S3Page> list(
        const Ctx& ctx, const std::string& prefix, const std::string& token = {}, int limit = 1000
    );
    /// Whether the bucket can be used: for health checks.
    Status check(const Ctx& ctx);
    /// Whether the last of all calls got no answer.
    bool is_silent();
    /// An address that is its own credential for `life` (at most seven days), for one method and
    /// one object. `headers`: what its user has to send with it.
    Result<std::string> presign(
        const Ctx& ctx,
        const std::string& method,
        const std::string& key,
        std::chrono::seconds life,
        const http::Headers& headers = {}
    );

  private:
    struct Call;
    struct Upload;
    struct Download;
    Result<http::Answer> send(const Ctx& ctx, Call& call);
    Result<http::Answer> attempt(const Ctx& ctx, Call& call, std::optional<S3Failure>& failure);
    Duration backoff(int attempt);
    Status begin_call();
    void end_call(const std::optional<S3Failure>& failure);
    Status put_whole(const Ctx& ctx, const Upload& upload);
    Status put_parts(const Ctx& ctx, const Upload& upload);
    Result<std::vector<S3Part>> send_parts(
        const Ctx& ctx, const Upload& upload, const std::string& id
    );
    Status complete(
        const Ctx& ctx,
        const Upload& upload,
        const std::string& id,
        const std::vector<S3Part>& parts
    );
    void give_up(const Upload& upload, const std::string& id);

    const S3Options options_;
    const Clock& clock_;
    http::BlockingClient& http_;
    aws::CredentialChain& credentials_;
    std::mutex mutex_;  ///< guards what follows
    Rng rng_;
    std::optional<Error> away_;  ///< why the server does not answer
    TimePoint away_until_{};
};

}  // namespace lab::storage
