#include "cli/follow.h"

#include "base/percent.h"
#include "base/text.h"
#include "cli/progress.h"
#include "platform/http/sse.h"

#include <algorithm>
#include <deque>

namespace lab::cli {
namespace {

/// Longest silence of a stream: a run that waits in the queue says nothing.
constexpr Duration kSilenceMax = std::chrono::seconds(60);
constexpr Duration kPause = std::chrono::seconds(1);
constexpr Duration kLostMax = std::chrono::minutes(5);
/// So many different reasons are told as they come, and so many failures at the end.
constexpr std::size_t kReasonsToldMax = 5;
constexpr std::size_t kLastFailures = 3;
constexpr std::size_t kReasonLength = 300;

service::Progress progress_of(const Json& event) {
    service::Progress out;
    out.planned = event.value("planned", std::int64_t{0});
    out.done = event.value("done", std::int64_t{0});
    out.failed = event.value("failed", std::int64_t{0});
    out.in_flight = event.value("in_flight", std::int64_t{0});
    out.waiting = event.value("waiting", std::int64_t{0});
    out.retries = event.value("retries", std::int64_t{0});
    out.calls = event.value("calls", std::int64_t{0});
    out.tokens = event.value("tokens", std::int64_t{0});
    out.cost = Money::parse(event.value("cost", "0")).value_or(Money());
    out.elapsed = std::chrono::duration_cast<Duration>(
        std::chrono::duration<double>(event.value("elapsed_s", 0.0))
    );
    return out;
}

class Follower {
  public:
    Follower(const Invocation& in, ApiClient& client, std::string path)
        : in_(in), client_(client), path_(std::move(path)), display_(in.console) {}

    Result<std::optional<Json>> follow() {
        Transport& transport = client_.transport();
        transport.on_interrupt([this, &transport] {
            interrupted_ = true;
            transport.stop();
        });
        auto out = listen();
        transport.on_interrupt(nullptr);
        display_.finish(last_);
        tell_failures();
        return out;
    }

  private:
    Result<std::optional<Json>> listen() {
        Duration lost{0};
        while (true) {
            heard_ = false;
            Status sent = once();
            if (end_) {
                return std::optional<Json>(std::move(*end_));
            }
            if (interrupted_) {
                return std::optional<Json>();
            }
            const bool gone = !sent && (sent.error().code == Code::unavailable ||
                                        sent.error().code == Code::upstream_error);
            if (!sent && !gone && sent.error().code != Code::timed_out) {
                return sent.error();
            }
            lost = heard_ ? Duration(0) : lost + kPause;
            if (lost > kLostMax) {
                return sent ? Error(Code::unavailable, "the run says nothing any more")
                            : sent.error();
            }
            if (gone && !said_lost_) {
                said_lost_ = true;
                note(in_.console, "lost " + client_.transport().where() + ": trying again");
            }
            client_.transport().pause(kPause);
            if (interrupted_) {
                return std::optional<Json>();
            }
        }
    }

    /// One connection, as long as it lasts.
    Status once() {
        ApiRequest request{.path = path_, .timeout = kSilenceMax};
        request.headers.emplace_back("Accept", "text/event-stream");
        if (!last_id_.empty()) {
            request.headers.emplace_back("Last-Event-ID", last_id_);
        }
        http::SseParser parser;
        const auto taken = client_.stream(std::move(request), [&](std::string_view bytes) {
            heard_ = true;
            said_lost_ = false;
            parser.feed(bytes);
            while (const auto event = parser.next()) {
                take(*event);
            }
            return !end_.has_value() && !parser.overflowed();
        });
        if (!taken) {
            return taken.error();
        }
        return ok();
    }

    void take(const http::SseEvent& event) {
        if (!event.id.empty()) {
            last_id_ = event.id;
        }
        auto data = parse_json(event.data);
        if (!data || !data->is_object()) {
            return;
        }
        if (event.type == "sample_failed") {
            take_failure(*data);
        } else if (event.type == "done") {
            take_totals(*data);
            end_ = std::move(*data);
        } else if (event.type == "progress") {
            last_ = progress_of(*data);
            display_.show(last_);
        }
    }

    void take_failure(const Json& event) {
        const Json error = event.value("error", Json::object());
        std::string why = error.value("message", "");
        why = shorten(why.empty() ? error.value("code", "") : why, kReasonLength);
        const std::string line =
            "item " + shorten(event.value("item_id", ""), kReasonLength) + ": " + why;
        failures_.push_back(line);
        if (failures_.size() > kLastFailures) {
            failures_.pop_front();
        }
        if (told_.size() < kReasonsToldMax && std::ranges::find(told_, why) == told_.end()) {
            told_.push_back(why);
            display_.say("failed: " + line);
        }
    }

    /// Why samples have no output, where their number alone would leave that open.
    void tell_failures() {
        if (last_.failed == 0 || failures_.empty()) {
            return;
        }
        note(
            in_.console,
            std::to_string(last_.failed) + " of " + std::to_string(last_.planned) +
                (last_.failed == 1 ? " samples has" : " samples have") +
                " failed; the last that was heard of:"
        );
        for (const std::string& line : failures_) {
            note(in_.console, "  " + line);
        }
    }

    /// The end says it all, also when nothing was heard on the way.
    void take_totals(const Json& run) {
        const Json progress = run.value("progress", Json::object());
        const Json totals = run.value("totals", Json::object());
        last_.planned = progress.value("total_samples", last_.planned);
        last_.done = totals.value("successful_samples", last_.done);
        last_.failed = totals.value("failed_samples", last_.failed);
        last_.tokens = totals.value("total_tokens", last_.tokens);
        last_.cost = Money::parse(totals.value("total_cost", "0")).value_or(last_.cost);
        last_.in_flight = 0;
        last_.waiting = 0;
    }

    const Invocation& in_;
    ApiClient& client_;
    std::string path_;
    ProgressDisplay display_;
    service::Progress last_;
    std::optional<Json> end_;
    std::vector<std::string> told_;     ///< reasons, each once
    std::deque<std::string> failures_;  ///< the last ones
    std::string last_id_;
    bool interrupted_ = false;
    bool heard_ = false;
    bool said_lost_ = false;
};

}  // namespace

Result<std::optional<Json>> follow_run(
    const Invocation& in, ApiClient& client, const std::string& experiment, const std::string& run
) {
    const std::string path =
        "/experiments/" + percent_encode(experiment) + "/runs/" + percent_encode(run) + "/events";
    return Follower(in, client, path).follow();
}

Result<Json> newest_run(ApiClient& client, const std::string& experiment) {
    LAB_TRY(
        const Json page,
        client.call({
            .path = "/experiments/" + percent_encode(experiment) + "/runs",
            .query = {{"limit", "1"}},
        })
    );
    const Json rows = page.value("data", Json::array());
    if (rows.empty()) {
        return Error(Code::not_found, "the experiment has no run yet");
    }
    return rows.front();
}

}  // namespace lab::cli
