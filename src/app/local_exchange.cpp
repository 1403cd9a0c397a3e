#include "app/local_exchange.h"

#include <algorithm>

namespace lab::app {
namespace {

constexpr std::size_t kWaitingBytesMax = 1U << 20;

}  // namespace

LocalExchange::LocalExchange(
    http::RequestHead head, std::string body, Executor& loop, std::function<void()> changed
)
    : head_(std::move(head)), body_(std::move(body)), loop_(loop), changed_(std::move(changed)) {}

void LocalExchange::tell() {
    loop_.post([changed = changed_] { changed(); });
}

void LocalExchange::respond(http::Response response) {
    const std::lock_guard lock(mutex_);
    if (answered_) {
        return;
    }
    answered_ = true;
    ended_ = true;
    pieces_.push_back(std::move(response.body));
    response.body.clear();
    answer_ = std::move(response);
    tell();
}

void LocalExchange::begin_stream(int status, http::Headers headers) {
    const std::lock_guard lock(mutex_);
    if (!answered_) {
        answered_ = true;
        answer_ = http::Response{.status = status, .headers = std::move(headers), .body = {}};
        tell();
    }
}

http::Sending LocalExchange::write(std::string bytes, std::function<void()> drained) {
    const std::lock_guard lock(mutex_);
    if (left_ || ended_) {
        return http::Sending::closed;
    }
    waiting_bytes_ += bytes.size();
    pieces_.push_back(std::move(bytes));
    tell();
    if (waiting_bytes_ <= kWaitingBytesMax) {
        return http::Sending::more;
    }
    if (drained) {
        drained_.push_back(std::move(drained));
    }
    return http::Sending::wait;
}

void LocalExchange::resume_body() {
    const std::lock_guard lock(mutex_);
    resumed_ = true;
    tell();
}

bool LocalExchange::take_resumed() {
    const std::lock_guard lock(mutex_);
    return std::exchange(resumed_, false);
}

void LocalExchange::end_stream() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    tell();
}

void LocalExchange::on_cancel(std::function<void()> gone) {
    {
        const std::lock_guard lock(mutex_);
        if (!left_) {
            gone_.push_back(std::move(gone));
            return;
        }
    }
    gone();
}

std::optional<http::Response> LocalExchange::take_head() {
    const std::lock_guard lock(mutex_);
    return std::exchange(answer_, std::nullopt);
}

std::optional<std::string> LocalExchange::take_piece() {
    std::vector<std::function<void()>> drained;
    std::optional<std::string> piece;
    {
        const std::lock_guard lock(mutex_);
        if (pieces_.empty()) {
            return std::nullopt;
        }
        piece = std::move(pieces_.front());
        pieces_.pop_front();
        waiting_bytes_ -= std::min(waiting_bytes_, piece->size());
        if (waiting_bytes_ < kWaitingBytesMax / 4) {
            drained.swap(drained_);
        }
    }
    for (const auto& go_on : drained) {
        go_on();
    }
    return piece;
}

bool LocalExchange::answered() const {
    const std::lock_guard lock(mutex_);
    return answered_;
}

bool LocalExchange::ended() const {
    const std::lock_guard lock(mutex_);
    return ended_ && !answer_ && pieces_.empty();
}

void LocalExchange::leave() {
    std::vector<std::function<void()>> gone;
    std::vector<std::function<void()>> drained;
    {
        const std::lock_guard lock(mutex_);
        left_ = true;
        gone.swap(gone_);
        drained.swap(drained_);
    }
    token_.cancel(CancelReason::user);
    for (const auto& tell_gone : gone) {
        tell_gone();
    }
}

}  // namespace lab::app
