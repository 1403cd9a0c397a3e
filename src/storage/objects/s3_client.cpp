#include "storage/objects/s3_client.h"

#include "platform/crypto/sha256.h"
#include "storage/objects/impl/s3_call.h"

#include <algorithm>

namespace lab::storage {
namespace {

/// Of answers that are no object: lists, errors.
constexpr std::size_t kAnswerBytesMax = 8U << 20;
/// While an object comes; as a whole it may take as long as its reader waits.
constexpr Duration kSilenceMax = std::chrono::seconds(10);
/// Waiting as long again and again helps nobody.
constexpr int kLateAttemptsMax = 2;
constexpr std::uint64_t kBytesPerSecondMin = 256U << 10;
constexpr std::chrono::seconds kPresignedMax{7 * 24 * 3600};

Error not_in_time(std::string cause) {
    Error out(Code::unavailable, "the object store did not answer in time");
    out.cause = std::move(cause);
    return out;
}

Duration time_for_body(const http::Request& request) {
    const std::uint64_t bytes = request.source ? request.source->size() : request.body.size();
    return std::chrono::seconds(bytes / kBytesPerSecondMin);
}

bool is_unanswered(S3Problem problem) {
    return problem == S3Problem::silent || problem == S3Problem::late;
}

}  // namespace

S3Client::S3Client(
    S3Options options,
    const Clock& clock,
    http::BlockingClient& http,
    aws::CredentialChain& credentials,
    std::uint64_t seed
)
    : options_(std::move(options)),
      clock_(clock),
      http_(http),
      credentials_(credentials),
      rng_(seed) {}

Duration S3Client::backoff(int attempt) {
    Duration most = options_.backoff_first;
    for (int i = 1; i < attempt && most < options_.backoff_max; ++i) {
        most *= 2;
    }
    most = std::min(most, options_.backoff_max);
    const std::scoped_lock lock(mutex_);
    return std::chrono::duration_cast<Duration>(most * rng_.uniform());
}

Result<http::Answer> S3Client::attempt(
    const Ctx& ctx, Call& call, std::optional<S3Failure>& failure
) {
    LAB_TRY(const aws::Credentials credentials, credentials_.get(ctx));
    http::Request request;
    request.method = call.method;
    request.url = s3_url(options_.place, call.key, call.query);
    request.headers = call.headers;
    request.body = call.body;
    request.source = call.source;
    if (call.source && !call.source->rewind()) {
        return Error(Code::io, "the file cannot be read again");
    }
    if (call.prepare) {
        call.prepare(request.headers);
    }
    request.connect_timeout = options_.connect_timeout;
    request.total_timeout = call.sink
                                ? ctx.remaining()
                                : options_.call_timeout + call.patience + time_for_body(request);
    request.body_bytes_max = call.sink ? static_cast<std::size_t>(-1) : kAnswerBytesMax;
    aws::sign(
        request, {options_.place.region, "s3"}, credentials, clock_.wall(), call.payload_hash
    );
    const Duration silence_max = call.sink ? kSilenceMax : Duration::max();
    LAB_TRY(http::Answer answer, http_.call(ctx, std::move(request), call.sink, silence_max));
    const bool good = answer.end.failure == http::TransferFailure::none && answer.status >= 200 &&
                      answer.status < 300;
    if (!good) {
        failure = read_s3_failure(answer);
        if (failure->problem == S3Problem::expired) {
            credentials_.forget(credentials);
        }
    } else if (call.check) {
        failure = call.check(answer);
    }
    return answer;
}

/// A server that hangs must not take every thread that asks with it.
Status S3Client::begin_call() {
    const std::scoped_lock lock(mutex_);
    const std::optional<Error>& away = away_;
    if (!away) {
        return ok();
    }
    const TimePoint now = clock_.now();
    if (now < away_until_) {
        return *away;
    }
    away_until_ = now + options_.away_pause;  // this call finds out, others need not
    return ok();
}

bool S3Client::is_silent() {
    const std::scoped_lock lock(mutex_);
    return away_.has_value();
}

void S3Client::end_call(const std::optional<S3Failure>& failure) {
    const std::scoped_lock lock(mutex_);
    if (failure && is_unanswered(failure->problem)) {
        away_ = failure->error;
        away_until_ = clock_.now() + options_.away_pause;
    } else {
        away_.reset();
    }
}

Result<http::Answer> S3Client::send(const Ctx& ctx, Call& call) {
    LAB_CHECK(begin_call());
    std::string last;
    for (int tried = 1;; ++tried) {
        std::optional<S3Failure> failure;
        const std::int64_t before = call.progress;
        auto answer = attempt(ctx, call, failure);
        if (!answer) {
            return answer.error().code == Code::timed_out ? not_in_time(std::move(last))
                                                          : answer.error();
        }
        if (call.stop) {
            return *call.stop;
        }
        if (!failure) {
            end_call(failure);
            return answer;
        }
        if (call.progress > before) {
            tried = 1;
            call.late = 0;
        }
        call.late += failure->problem == S3Problem::late ? 1 : 0;
        if (failure->problem == S3Problem::final || tried >= options_.attempts_max ||
            call.late >= kLateAttemptsMax) {
            end_call(failure);
            return std::move(failure->error);
        }
        last = failure->error.message + " " + failure->error.cause;
        if (const Status waited = http::wait_for(ctx, backoff(tried)); !waited) {
            return waited.error().code == Code::timed_out ? std::move(failure->error)
                                                          : waited.error();
        }
    }
}

Status S3Client::put(
    const Ctx& ctx, const std::string& key, std::string_view bytes, const S3PutOptions& options
) {
    LAB_CHECK(check_s3_key(key));
    Call call{.method = "PUT", .key = key, .headers = headers_of(options)};
    call.body = bytes;
    call.payload_hash = sha256_hex(bytes);
    LAB_CHECK(send(ctx, call));
    return ok();
}

/// Where a download is; what its calls say depends on it.
struct S3Client::Download {
    std::int64_t first = 0;
    std::optional<std::int64_t> last;
    bool in_range = false;
    std::int64_t delivered = 0;
    bool asked_range = false;  ///< by the attempt under way
    std::string etag;
    const S3Sink& sink;

    void ask(http::Headers& headers) {
        asked_range = in_range || delivered > 0;
        if (asked_range) {
            headers.emplace_back(
                "Range",
                "bytes=" + std::to_string(first + delivered) + "-" +
                    (last ? std::to_string(*last) : "")
            );
        }
        if (!etag.empty()) {
            headers.emplace_back("If-Match", etag);
        }
    }

    bool take(Call& call, int status, const http::Headers& headers, std::string_view bytes) {
        if (asked_range && status != 206) {
            call.stop = Error(Code::upstream_error, "the object store does not answer ranges");
            return false;
        }
        if (etag.empty()) {
            etag = http::find_header(headers, "etag");
        }
        if (!sink(bytes)) {
            call.stop = Error(Code::cancelled, "the rest of the object was not wanted");
            return false;
        }
        delivered += std::ssize(bytes);
        call.progress = delivered;
        return true;
    }
};

Status S3Client::get(
    const Ctx& ctx, const std::string& key, std::optional<S3Range> range, const S3Sink& sink
) {
    LAB_CHECK(check_s3_key(key));
    Download download{
        .first = range ? range->first : 0,
        .last = range ? range->last : std::nullopt,
        .in_range = range.has_value(),
        .etag = {},
        .sink = sink,
    };
    Call call{.method = "GET", .key = key};
    call.prepare = [&](http::Headers& headers) { download.ask(headers); };
    call.sink = [&](int status, const http::Headers& headers, std::string_view bytes) {
        return download.take(call, status, headers, bytes);
    };
    LAB_CHECK(send(ctx, call));
    return ok();
}

Result<std::string> S3Client::get(const Ctx& ctx, const std::string& key, std::size_t bytes_max) {
    std::string out;
    bool fits = true;
    const Status got = get(ctx, key, std::nullopt, [&](std::string_view bytes) {
        fits = bytes.size() <= bytes_max - out.size();
        out += fits ? bytes : "";
        return fits;
    });
    if (!fits) {
        return Error(
            Code::payload_too_large,
            "the object has more than " + std::to_string(bytes_max) + " bytes"
        );
    }
    LAB_CHECK(got);
    return out;
}

Result<std::optional<S3Object>> S3Client::find(const Ctx& ctx, const std::string& key) {
    LAB_CHECK(check_s3_key(key));
    Call call{.method = "HEAD", .key = key};
    const auto answer = send(ctx, call);
    if (!answer) {
        if (answer.error().code == Code::not_found) {
            return std::optional<S3Object>();
        }
        return answer.error();
    }
    LAB_TRY(auto found, read_s3_head(answer->headers));
    return std::optional(std::move(found));
}

Status S3Client::remove(const Ctx& ctx, const std::string& key) {
    LAB_CHECK(check_s3_key(key));
    Call call{.method = "DELETE", .key = key};
    const auto answer = send(ctx, call);
    if (!answer && answer.error().code != Code::not_found) {
        return answer.error();
    }
    return ok();
}

Result<S3Page> S3Client::list(
    const Ctx& ctx, const std::string& prefix, const std::string& token, int limit
) {
    Call call{.method = "GET", .query = {{"list-type", "2"}, {"prefix", prefix}}};
    call.query.emplace_back("max-keys", std::to_string(std::clamp(limit, 1, 1000)));
    if (!token.empty()) {
        call.query.emplace_back("continuation-token", token);
    }
    LAB_TRY(const http::Answer answer, send(ctx, call));
    return read_s3_page(answer.body);
}

Status S3Client::check(const Ctx& ctx) {
    LAB_CHECK(list(ctx, "", "", 1));
    return ok();
}

Result<std::string> S3Client::presign(
    const Ctx& ctx,
    const std::string& method,
    const std::string& key,
    std::chrono::seconds life,
    const http::Headers& headers
) {
    LAB_CHECK(check_s3_key(key));
    LAB_TRY(const aws::Credentials credentials, credentials_.get(ctx));
    const aws::Presigned wanted{
        .method = method,
        .url = s3_url(options_.place, key),
        .headers = headers,
        .life = std::clamp(life, std::chrono::seconds(1), kPresignedMax),
    };
    return aws::presign(wanted, {options_.place.region, "s3"}, credentials, clock_.wall());
}

}  // namespace lab::storage
