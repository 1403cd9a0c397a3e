#include "app/http_transport.h"

#include "app/interrupts.h"
#include "app/wire.h"
#include "base/text.h"
#include "platform/http/curl_client.h"
#include "platform/process/event_loop.h"

#include <algorithm>
#include <optional>

namespace lab::app {
namespace {

using cli::ApiRequest;
using cli::ApiResponse;

constexpr Duration kConnectTimeout = std::chrono::seconds(10);
/// Of a stream as a whole, which the longest silence ends much earlier.
constexpr Duration kStreamMax = std::chrono::hours(24 * 7);
constexpr Duration kSilenceLook = std::chrono::milliseconds(500);
constexpr std::size_t kAnswerBytesMax = 256U << 20;
constexpr std::size_t kStreamBytesMax = std::size_t{1} << 40U;

/// Gathers one answer, or hands its body on.
class Gatherer final : public http::ResponseSink {
  public:
    Gatherer(EventLoop& loop, const cli::Transport::Sink* sink) : loop_(loop), sink_(sink) {}

    void on_head(int status, const http::Headers& headers) override {
        response.status = status;
        response.headers = headers;
        heard_at = loop_.clock().now();
    }
    bool on_data(std::string_view bytes) override {
        heard_at = loop_.clock().now();
        if (sink_ != nullptr && response.status < 300) {
            return (*sink_)(bytes) || !(enough_ = true);
        }
        response.body += bytes;
        return true;
    }
    void on_end(const http::TransferEnd& end) override {
        if (!enough_ && end.failure != http::TransferFailure::none) {
            response.failure = end.failure;
            response.failure_message = end.message;
            response.status = sink_ == nullptr ? 0 : response.status;
        }
        ended = true;
        loop_.stop();
    }

    ApiResponse response;
    TimePoint heard_at{};
    bool ended = false;

  private:
    EventLoop& loop_;
    const cli::Transport::Sink* sink_;
    bool enough_ = false;
};

class HttpTransport final : public cli::Transport {
  public:
    explicit HttpTransport(std::string url)
        : url_(std::move(url)),
          client_(http::make_curl_client(
              loop_, {.user_agent = "llm-research/" + std::string(version())}
          )) {}

    ApiResponse send(const ApiRequest& request) override {
        return carry_out(request, request.timeout, kAnswerBytesMax, nullptr);
    }

    ApiResponse stream(const ApiRequest& request, const Sink& sink) override {
        return carry_out(request, kStreamMax, kStreamBytesMax, &sink);
    }

    void stop() override {
        stopped_ = true;
        if (transfer_) {
            client_->cancel(*transfer_);
        } else {
            loop_.stop();
        }
    }

    void pause(Duration how_long) override {
        if (!stopped_) {
            const auto timer = loop_.call_at(clock_.now() + how_long, [this] { loop_.stop(); });
            loop_.run();
            loop_.cancel_timer(timer);
        }
    }

    void on_interrupt(std::function<void()> handler) override {
        stopped_ = false;
        handle_interrupts(loop_, std::move(handler));
    }

    std::string where() const override { return "the server " + url_; }
    std::string url() const override { return url_; }

  private:
    ApiResponse carry_out(
        const ApiRequest& request, Duration timeout, std::size_t bytes_max, const Sink* sink
    ) {
        http::Request wire;
        wire.method = request.method;
        wire.url = (request.is_whole_url() ? "" : url_) + cli::encode_target(request);
        wire.headers = request.headers;
        wire.body = request.body;
        if (request.source && !request.source->rewind()) {
            return {
                .failure = http::TransferFailure::cancelled,
                .failure_message = "the file cannot be read again",
            };
        }
        wire.source = request.source;
        wire.connect_timeout = std::min(kConnectTimeout, request.timeout);
        wire.total_timeout = timeout;
        wire.body_bytes_max = bytes_max;
        const auto gatherer = std::make_shared<Gatherer>(loop_, sink);
        gatherer->heard_at = clock_.now();
        transfer_ = client_->start(std::move(wire), gatherer);
        if (sink != nullptr) {
            watch_silence(gatherer, request.timeout);
        }
        loop_.run();
        transfer_.reset();
        if (silence_timer_ != 0) {
            loop_.cancel_timer(std::exchange(silence_timer_, 0));
        }
        if (stopped_ && gatherer->response.failure != http::TransferFailure::none) {
            gatherer->response.failure = http::TransferFailure::cancelled;
        } else if (std::exchange(silent_, false)) {
            gatherer->response.failure = http::TransferFailure::timeout;
        }
        return std::move(gatherer->response);
    }

    void watch_silence(const std::shared_ptr<Gatherer>& gatherer, Duration silence_max) {
        silence_timer_ = loop_.call_at(clock_.now() + kSilenceLook, [this, gatherer, silence_max] {
            silence_timer_ = 0;
            if (gatherer->ended) {
                return;
            }
            if (clock_.now() - gatherer->heard_at > silence_max && transfer_) {
                silent_ = true;
                client_->cancel(*transfer_);
                return;
            }
            watch_silence(gatherer, silence_max);
        });
    }

    SystemClock clock_;
    EventLoop loop_{clock_};
    std::string url_;
    std::unique_ptr<http::Client> client_;
    std::optional<http::TransferId> transfer_;
    Executor::TimerId silence_timer_ = 0;
    bool stopped_ = false;
    bool silent_ = false;
};

}  // namespace

Result<std::unique_ptr<cli::Transport>> make_http_transport(std::string url) {
    while (url.ends_with('/')) {
        url.pop_back();
    }
    const bool plain = std::ranges::all_of(url, [](char c) { return c > 0x20 && c < 0x7f; });
    const bool http = url.starts_with("http://") || url.starts_with("https://");
    if (!plain || !http || url.find_first_of("?#@\\") != std::string::npos ||
        url.find("://") + 3 == url.size()) {
        return Error(
            Code::validation,
            "\"" + shorten(sanitize_utf8(url), 100) +
                "\" is not the address of a server: it looks like https://lab.example.org"
        );
    }
    return std::unique_ptr<cli::Transport>(std::make_unique<HttpTransport>(std::move(url)));
}

}  // namespace lab::app
