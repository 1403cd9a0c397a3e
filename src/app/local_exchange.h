#pragma once
#include "base/executor.h"
#include "cli/transport.h"
#include "platform/http/server.h"

#include <deque>
#include <mutex>
#include <optional>

namespace lab::app {

/// A request of this process to the API it hosts. Written to from any thread, read on the loop's.
class LocalExchange final : public http::Exchange {
  public:
    /// `changed` runs on the loop's thread when there is something to take.
    LocalExchange(
        http::RequestHead head, std::string body, Executor& loop, std::function<void()> changed
    );

    const http::RequestHead& head() const override { return head_; }
    const std::string& body() const override { return body_; }
    std::string take_body() override { return std::move(body_); }
    void respond(http::Response response) override;
    void begin_stream(int status, http::Headers headers) override;
    http::Sending write(std::string bytes, std::function<void()> drained) override;
    void end_stream() override;
    void resume_body() override;
    CancelToken cancelled() override { return token_; }
    void on_cancel(std::function<void()> gone) override;
    void set_context(std::shared_ptr<void> context) override { context_ = std::move(context); }

    // For the reader, on the loop's thread.
    /// Status and headers, once they are there.
    std::optional<http::Response> take_head();
    /// The next piece of the body; nullopt when there is none now.
    std::optional<std::string> take_piece();
    bool ended() const;
    bool answered() const;
    /// Whether resume_body() was called since the last time.
    bool take_resumed();
    /// Nobody reads any more.
    void leave();

  private:
    void tell();

    const http::RequestHead head_;
    std::string body_;
    Executor& loop_;
    std::function<void()> changed_;
    CancelToken token_;
    std::shared_ptr<void> context_;
    mutable std::mutex mutex_;
    std::optional<http::Response> answer_;
    std::deque<std::string> pieces_;
    std::size_t waiting_bytes_ = 0;
    std::vector<std::function<void()>> drained_;
    std::vector<std::function<void()>> gone_;
    bool answered_ = false;
    bool ended_ = false;
    bool left_ = false;
    bool resumed_ = false;
};

}  // namespace lab::app
