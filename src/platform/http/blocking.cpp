#include "platform/http/blocking.h"

#include "platform/http/curl_client.h"

#include <algorithm>

namespace lab::http {
namespace {

/// How often a wait looks whether anybody still wants it.
constexpr Duration kLook = std::chrono::milliseconds(50);

/// Keeps one answer, and ends the loop that waits for it.
class Gatherer final : public ResponseSink {
  public:
    Gatherer(EventLoop& loop, const BlockingClient::Sink& sink)
        : heard_at(loop.clock().now()), loop_(loop), sink_(sink) {}
    void on_head(int status, const Headers& headers) override {
        heard_at = loop_.clock().now();
        answer.status = status;
        answer.headers = headers;
    }
    bool on_data(std::string_view bytes) override {
        heard_at = loop_.clock().now();
        if (sink_ && answer.status < 300) {
            return sink_(answer.status, answer.headers, bytes);
        }
        answer.body += bytes;
        return true;
    }
    void on_end(const TransferEnd& end) override {
        answer.end = end;
        ended = true;
        loop_.stop();
    }
    Answer answer;
    bool ended = false;
    bool silent = false;  ///< given up because nothing came
    TimePoint heard_at;

  private:
    EventLoop& loop_;
    const BlockingClient::Sink& sink_;
};

}  // namespace

/// A loop with its connections: of one call at a time.
struct BlockingClient::Line {
    Line(const Clock& clock, const ClientOptions& options)
        : loop(clock), client(make_curl_client(loop, options)) {}

    /// Looks again and again whether it is still wanted, and whether anything comes.
    void watch(const Ctx& ctx, Gatherer& gatherer, TransferId transfer, Duration silence_max) {
        const TimePoint now = loop.clock().now();
        timer = loop.call_at(now + kLook, [this, &ctx, &gatherer, transfer, silence_max] {
            timer = 0;
            if (gatherer.ended) {
                return;
            }
            gatherer.silent = loop.clock().now() - gatherer.heard_at > silence_max;
            if (gatherer.silent || !ctx.check()) {
                client->cancel(transfer);
                return;
            }
            watch(ctx, gatherer, transfer, silence_max);
        });
    }

    EventLoop loop;
    std::unique_ptr<Client> client;
    Executor::TimerId timer = 0;
};

BlockingClient::BlockingClient(const Clock& clock, ClientOptions options, int calls_max)
    : clock_(clock), options_(std::move(options)), calls_max_(calls_max) {}

BlockingClient::~BlockingClient() = default;

Result<std::unique_ptr<BlockingClient::Line>> BlockingClient::take_line(const Ctx& ctx) {
    std::unique_lock lock(mutex_);
    while (busy_ >= calls_max_) {
        LAB_CHECK(ctx.check());
        freed_.wait_for(lock, std::min(kLook, ctx.remaining()));
    }
    ++busy_;
    if (!idle_.empty()) {
        auto line = std::move(idle_.back());
        idle_.pop_back();
        return line;
    }
    lock.unlock();
    return std::make_unique<Line>(clock_, options_);
}

void BlockingClient::give_back(std::unique_ptr<Line> line) {
    {
        const std::scoped_lock lock(mutex_);
        --busy_;
        idle_.push_back(std::move(line));
    }
    freed_.notify_one();
}

Result<Answer> BlockingClient::call(
    const Ctx& ctx, Request request, const Sink& sink, Duration silence_max
) {
    LAB_CHECK(ctx.check());
    LAB_TRY(auto line, take_line(ctx));
    request.total_timeout = std::min(request.total_timeout, ctx.remaining());
    request.connect_timeout = std::min(request.connect_timeout, request.total_timeout);
    const auto gatherer = std::make_shared<Gatherer>(line->loop, sink);
    const TransferId transfer = line->client->start(std::move(request), gatherer);
    line->watch(ctx, *gatherer, transfer, silence_max);
    while (!gatherer->ended) {
        line->loop.run();
    }
    if (line->timer != 0) {
        line->loop.cancel_timer(std::exchange(line->timer, 0));
    }
    give_back(std::move(line));
    TransferEnd& end = gatherer->answer.end;
    if (end.failure != TransferFailure::none) {
        LAB_CHECK(ctx.check());
    }
    if (gatherer->silent && end.failure == TransferFailure::cancelled) {
        end = {TransferFailure::timeout, "nothing more came", end.status};
    }
    return std::move(gatherer->answer);
}

Status wait_for(const Ctx& ctx, Duration how_long) {
    std::mutex mutex;
    std::condition_variable nobody;
    std::unique_lock lock(mutex);
    const TimePoint end = ctx.clock().now() + how_long;
    for (TimePoint now = ctx.clock().now(); now < end; now = ctx.clock().now()) {
        LAB_CHECK(ctx.check());
        nobody.wait_for(lock, std::min({kLook, end - now, ctx.remaining()}));
    }
    return ctx.check();
}

}  // namespace lab::http
