#pragma once
#include "base/executor.h"
#include "domain/sample.h"
#include "providers/provider.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace lab::test {

/// What the fake answers one call with.
struct FakeReply {
    providers::Outcome outcome = providers::Outcome::ok;
    Duration latency = std::chrono::milliseconds(10);
    std::string output = {};
    std::string finish_reason = "stop";
    domain::Usage usage = {.input = 10, .output = 5};
    providers::RateHints hints = {};
    std::string message = "scripted";
    int http_status = 200;
    bool at_once = false;  ///< answers before start() returns
    bool billed = false;   ///< although it fails: the answer was lost on its way
    bool unreachable = false;
};

/// A source of answers that does what a script says, on the executor's clock, and keeps the books
/// that the ledger is checked against: it is the world outside, and outlives the processes that ask
/// it. Loop thread only.
class FakeProvider final : public providers::Provider {
  public:
    struct Logged {
        std::string item_id;
        std::string text;  ///< of the last message
        std::string model;
        int attempt = 0;  ///< 1.. per item and text
        TimePoint at{};
        providers::Outcome outcome = providers::Outcome::ok;
    };

    explicit FakeProvider(Executor& loop) : loop_(loop) {}
    FakeProvider(const FakeProvider&) = delete;
    FakeProvider& operator=(const FakeProvider&) = delete;
    ~FakeProvider() override { *alive_ = false; }

    /// `attempt` counts the calls for one item and text from 1.
    std::function<FakeReply(const providers::CallRequest&, int attempt)> script =
        [](const providers::CallRequest& request, int) {
            return FakeReply{.output = "answer to " + request.item_id};
        };
    /// Looks on while a call is made.
    std::function<void(const providers::CallRequest&)> on_start =
        [](const providers::CallRequest&) {};
    bool replay = false;
    std::string endpoint_name = "fake";
    domain::Usage worst = {.input = 20, .output = 10};
    /// Prices for the bill; nothing is billed without.
    std::optional<domain::Pricing> pricing = {};
    /// A provider bills what it has begun to answer, also when nobody waits for it any more.
    Money bill = {};
    std::int64_t billed_tokens = 0;
    std::vector<Logged> log = {};
    std::int64_t in_flight_max = 0;
    std::int64_t cancelled = 0;

    std::int64_t calls() const { return static_cast<std::int64_t>(log.size()); }
    std::int64_t in_flight() const { return static_cast<std::int64_t>(flying_.size()); }
    /// Calls for this item and text so far.
    int calls_for(const std::string& item_id, const std::string& text) const {
        const auto found = attempts_.find({item_id, text});
        return found == attempts_.end() ? 0 : found->second;
    }

    providers::CallId start(providers::CallRequest request, providers::CallDone done) override {
        on_start(request);
        const std::string text = request.messages.empty() ? "" : request.messages.back().content;
        const int attempt = ++attempts_[{request.item_id, text}];
        FakeReply reply = script(request, attempt);
        log.push_back(
            {request.item_id, text, request.model, attempt, loop_.clock().now(), reply.outcome}
        );
        if ((reply.outcome == providers::Outcome::ok || reply.billed) && !replay) {
            billed_tokens += reply.usage.total();
            bill += pricing ? domain::cost_of(reply.usage, *pricing).value_or(Money()) : Money();
        }
        const providers::CallId id = ++last_id_;
        const bool at_once = reply.at_once;
        const Duration latency = reply.latency;
        flying_.emplace(id, Flying{std::move(reply), std::move(done)});
        in_flight_max = std::max(in_flight_max, in_flight());
        if (at_once) {
            end(id);
        } else {
            loop_.call_at(loop_.clock().now() + latency, [this, alive = alive_, id] {
                if (*alive) {
                    end(id);
                }
            });
        }
        return id;
    }
    void cancel(providers::CallId id) override {
        if (const auto found = flying_.find(id); found != flying_.end()) {
            ++cancelled;
            found->second.reply.outcome = providers::Outcome::cancelled;
            end(id);
        }
    }
    bool is_replay() const override { return replay; }
    const std::string& endpoint() const override { return endpoint_name; }
    domain::Usage worst_case(const providers::CallRequest&) const override { return worst; }

  private:
    struct Flying {
        FakeReply reply;
        providers::CallDone done;
    };
    void end(providers::CallId id) {
        const auto found = flying_.find(id);
        if (found == flying_.end()) {
            return;  // cancelled before its time
        }
        auto [reply, done] = std::move(found->second);
        flying_.erase(found);
        providers::CallResult result;
        result.outcome = reply.outcome;
        result.http_status = reply.http_status;
        result.latency = reply.latency;
        result.hints = reply.hints;
        result.replayed = replay;
        if (reply.outcome == providers::Outcome::ok) {
            result.output = std::move(reply.output);
            result.finish_reason = std::move(reply.finish_reason);
            result.usage = reply.usage;
            result.time_to_first_token = reply.latency / 2;
        } else {
            const bool late = reply.outcome == providers::Outcome::network;
            result.error = Error(
                late ? Code::upstream_timeout : Code::upstream_error, std::move(reply.message)
            );
            result.maybe_billed = reply.billed;
            result.unreachable = reply.unreachable;
            result.counts_for_breaker = late || reply.outcome == providers::Outcome::overloaded;
        }
        done(std::move(result));
    }

    Executor& loop_;
    std::map<std::pair<std::string, std::string>, int> attempts_;
    std::map<providers::CallId, Flying> flying_;
    providers::CallId last_id_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace lab::test
