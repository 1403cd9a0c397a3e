#include "platform/kubernetes/config_map_watch.h"

#include "base/text.h"

#include <algorithm>
#include <charconv>

namespace lab::kubernetes {
namespace {

constexpr int kDoublingsMax = 10;
constexpr int kGone = 410;  ///< "the version is too old": listed again, it is known
constexpr std::size_t kWatchBytesMax = 64U << 20;
/// A watch that ends sooner is a failure: it would be asked for again and again.
constexpr Duration kWatchMin = std::chrono::seconds(1);
/// For the last bytes of a watch whose time is over.
constexpr Duration kWatchGrace = std::chrono::seconds(10);
constexpr Duration kRetryAfterMax = std::chrono::seconds(30);

bool is_refusal(const Status& status) {
    return !status &&
           (status.error().code == Code::not_found || status.error().code == Code::unauthorized ||
            status.error().code == Code::forbidden);
}

/// Seconds alone: dates are not what API servers send.
Duration retry_after(const http::Headers& headers) {
    const std::string_view text = http::find_header(headers, "retry-after");
    int seconds = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    const bool is_number = problem == std::errc() && end == text.data() + text.size();
    return is_number && seconds > 0
               ? std::min<Duration>(std::chrono::seconds(std::min(seconds, 3600)), kRetryAfterMax)
               : Duration::zero();
}

std::string seconds_text(Duration time) {
    return std::to_string(
        std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(time).count())
    );
}

}  // namespace

ConfigMapWatch::ConfigMapWatch(const Clock& clock, WatchOptions options, Changed changed, Told told)
    : clock_(clock),
      options_(std::move(options)),
      account_(options_.account_folder),
      changed_(std::move(changed)),
      told_(std::move(told)),
      rng_(options_.seed) {}

void ConfigMapWatch::run(const Ctx& ctx) {
    while (ctx.check()) {
        const bool is_watch = !version_.empty();
        const Step step = is_watch ? watch(ctx) : list(ctx);
        if (!ctx.check()) {
            return;
        }
        if (is_watch && step.lasted) {
            failures_ = 0;
        }
        if (!step.status) {
            version_.clear();
            ++failures_;
        }
        tell(step, is_watch);
        const Duration pause = pause_after(step);
        if (pause > Duration::zero()) {
            static_cast<void>(http::wait_for(ctx, pause));
        }
    }
}

/// A single failure is mended by the next list, and nobody has to know.
void ConfigMapWatch::tell(const Step& step, bool was_watch) {
    if (!step.status) {
        watch_is_bad_ = was_watch;
        if (failures_ > 1 || is_refusal(step.status)) {
            told_(step.status);
        }
    } else if (was_watch ? step.lasted : !watch_is_bad_) {
        watch_is_bad_ = false;
        told_(step.status);
    }
}

Duration ConfigMapWatch::pause_after(const Step& step) {
    if (step.status) {
        return Duration::zero();
    }
    Duration base =
        options_.pause_min * (std::int64_t{1} << std::min(failures_ - 1, kDoublingsMax));
    base = is_refusal(step.status) ? options_.refused_pause : std::min(base, options_.pause_max);
    // Between half of it and all of it.
    const auto half = static_cast<std::uint64_t>(std::max<Duration::rep>(base.count() / 2, 1));
    const Duration jittered(static_cast<Duration::rep>(half + rng_.below(half)));
    return std::max(jittered, step.wait_min);
}

Result<http::Answer> ConfigMapWatch::call(
    const Ctx& ctx,
    const std::string& query,
    Duration total,
    std::size_t bytes_max,
    const http::BlockingClient::Sink& sink
) {
    LAB_TRY(const std::string token, account_.token());
    LAB_TRY(const std::string authority, account_.authority_file());
    LAB_TRY(namespace_, account_.pod_namespace());
    if (!client_) {
        client_ = std::make_unique<http::BlockingClient>(
            clock_,
            http::ClientOptions{
                .user_agent = options_.user_agent, .ca_file = authority, .proxy = ""
            },
            1
        );
    }
    http::Request request;
    request.method = "GET";
    request.url = options_.url + "/api/v1/namespaces/" + namespace_ +
                  "/configmaps?fieldSelector=metadata.name%3D" + options_.name + query;
    request.headers = {{"Authorization", "Bearer " + token}, {"Accept", "application/json"}};
    request.connect_timeout = options_.connect_timeout;
    request.total_timeout = total;
    request.body_bytes_max = bytes_max;
    LAB_TRY(http::Answer answer, client_->call(ctx, std::move(request), sink));
    if (answer.end.failure == http::TransferFailure::connect) {
        client_.reset();  // the authority may be a new one
    }
    return answer;
}

/// Whether it is a good answer to the end.
Status ConfigMapWatch::judge(const http::Answer& answer) {
    if (answer.status == 0 ||
        (answer.status < 300 && answer.end.failure != http::TransferFailure::none)) {
        Error error(Code::unavailable, "the API server cannot be reached or breaks off");
        error.cause = answer.end.message;
        return error;
    }
    const std::string what = "ConfigMap \"" + options_.name + "\" of " + namespace_;
    switch (answer.status) {
        case 200:
            return ok();
        case 401:
            return Error(
                Code::unauthorized, "the API server does not take the token of the service account"
            );
        case 403:
            return Error(
                Code::forbidden,
                "the service account may not watch the " + what +
                    ": it needs a Role with get, list and watch"
            );
        default:
            return Error(
                Code::unavailable, "the API server answers " + std::to_string(answer.status)
            );
    }
}

ConfigMapWatch::Step ConfigMapWatch::list(const Ctx& ctx) {
    const auto answer = call(ctx, "", options_.list_timeout, WatchReader::kLineBytesMax, {});
    if (!answer) {
        return {.status = answer.error()};
    }
    if (const Status good = judge(*answer); !good) {
        return {.status = good, .wait_min = retry_after(answer->headers)};
    }
    auto state = read_config_map_list(answer->body, options_.name);
    if (!state) {
        return {.status = state.error()};
    }
    version_ = std::move(state->version);
    changed_(std::move(state->values));
    return {.status = ok()};
}

/// false: the stream says that it is over.
bool ConfigMapWatch::take(const WatchEvent& event, Status& status) {
    using Kind = WatchEvent::Kind;
    if (event.kind == Kind::failed) {
        status = Error(
            Code::unavailable,
            event.code == kGone ? std::string("the API server has forgotten where the watch was")
                                : "the API server ends the watch with " + std::to_string(event.code)
        );
        return false;
    }
    version_ = event.version;
    if (event.kind == Kind::changed || event.kind == Kind::deleted) {
        changed_(event.values);
    }
    return true;
}

ConfigMapWatch::Step ConfigMapWatch::watch(const Ctx& ctx) {
    const TimePoint begun = clock_.now();
    WatchReader reader(options_.name);
    Status said = ok();
    const auto sink = [&](int, const http::Headers&, std::string_view bytes) {
        reader.feed(bytes);
        while (said) {
            auto event = reader.next();
            if (!event) {
                said = event.error();
            } else if (!*event) {
                break;
            } else if (!take(**event, said)) {
                break;
            }
        }
        return said.has_value();
    };
    const auto answer = call(
        ctx,
        "&watch=1&allowWatchBookmarks=true&resourceVersion=" + version_ +
            "&timeoutSeconds=" + seconds_text(options_.watch_time),
        options_.watch_time + kWatchGrace,
        kWatchBytesMax,
        sink
    );
    if (!answer) {
        return {.status = answer.error()};
    }
    const bool lasted = answer->status == 200 && clock_.now() - begun >= kWatchMin;
    if (!said) {
        return {.status = said, .lasted = lasted};
    }
    if (const Status good = judge(*answer); !good) {
        return {.status = good, .lasted = lasted, .wait_min = retry_after(answer->headers)};
    }
    if (!lasted) {
        return {.status = Error(Code::unavailable, "the API server ends each watch at once")};
    }
    return {.status = ok(), .lasted = true};
}

}  // namespace lab::kubernetes
