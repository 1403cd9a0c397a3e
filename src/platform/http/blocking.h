#pragma once
#include "platform/http/client.h"

#include <condition_variable>
#include <mutex>

namespace lab::http {

/// One response, or why there is none.
struct Answer {
    TransferEnd end;
    int status = 0;  ///< 0 = no response head arrived
    Headers headers;
    std::string body;  ///< what a sink did not take
};

/// Calls that their caller waits for: stores and services, not models. Each runs on the thread that
/// asks, with a loop and kept connections that are taken and given back. Any thread.
class BlockingClient {
  public:
    /// Gets the body of a response below 300 as it comes; false = enough.
    using Sink = std::function<bool(int status, const Headers& headers, std::string_view bytes)>;

    /// `calls_max`: under way at once; more wait for a place. `clock` outlives it.
    BlockingClient(const Clock& clock, ClientOptions options, int calls_max = 16);
    ~BlockingClient();
    BlockingClient(const BlockingClient&) = delete;
    BlockingClient& operator=(const BlockingClient&) = delete;

    /// Ends when `ctx` does, though `request` may take longer, and as a timeout when nothing has
    /// come for `silence_max`. Errors: only those of `ctx`; that a transfer failed is an answer.
    Result<Answer> call(
        const Ctx& ctx,
        Request request,
        const Sink& sink = {},
        Duration silence_max = Duration::max()
    );

  private:
    struct Line;
    Result<std::unique_ptr<Line>> take_line(const Ctx& ctx);
    void give_back(std::unique_ptr<Line> line);

    const Clock& clock_;
    ClientOptions options_;
    const int calls_max_;
    std::mutex mutex_;
    std::condition_variable freed_;
    std::vector<std::unique_ptr<Line>> idle_;
    int busy_ = 0;
};

/// Waits on the thread that asks. Errors: those of `ctx`, as soon as it ends.
Status wait_for(const Ctx& ctx, Duration how_long);

}  // namespace lab::http
