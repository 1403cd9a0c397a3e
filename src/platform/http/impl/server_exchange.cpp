#include "platform/http/impl/server_exchange.h"

#include "platform/http/impl/server_connection.h"

namespace lab::http {
namespace {

bool is_safe_method(std::string_view method) {
    return method == "GET" || method == "HEAD" || method == "OPTIONS";
}

}  // namespace

ServerExchange::ServerExchange(
    std::shared_ptr<Shard> shard, Connection& connection, RequestHead head
)
    : is_head_method(head.method == "HEAD"),
      is_safe(is_safe_method(head.method)),
      shard_(std::move(shard)),
      connection_(&connection),
      head_(std::move(head)) {}

ServerExchange::~ServerExchange() {
    shard_->shared->body_bytes.fetch_sub(body_counted_, std::memory_order_relaxed);
}

std::shared_ptr<ServerExchange> ServerExchange::handle() {
    held_by_application_ = true;
    return {this, Release()};
}

// The last reference may be dropped by any thread; what follows is for the loop's.
void ServerExchange::Release::operator()(ServerExchange* exchange) const {
    const std::shared_ptr<Shard> shard = exchange->shard_;
    if (Shard::current() == shard.get()) {
        exchange->released();
        return;
    }
    // Work that is never run is destroyed when the loop is, and every connection has let go then.
    std::unique_ptr<ServerExchange> owned(exchange);
    shard->post([owned = std::move(owned)]() mutable { owned.release()->released(); });
}

void ServerExchange::released() {
    held_by_application_ = false;
    if (connection_ == nullptr) {
        delete this;
        return;
    }
    bool cut = false;
    {
        const std::lock_guard lock(mutex_);
        cut = begun_ && !ended_ && state != State::written;
    }
    if (cut) {
        connection_->cut();
    } else if (!is_answered()) {
        connection_->abandoned(*this);
    }
}

void ServerExchange::let_go() {
    // What the application left here may hold this exchange: it goes last.
    std::array<std::function<void()>, 2> callbacks;
    const std::shared_ptr<BodySink> last_sink = std::move(sink);
    {
        const std::lock_guard lock(mutex_);
        callbacks = {std::move(drained_), std::move(gone_callback_)};
        drained_ = gone_callback_ = nullptr;
        ended_ = true;
    }
    connection_ = nullptr;
    if (!held_by_application_) {
        delete this;
    }
}

void ServerExchange::run_on_loop(Executor::Work work) {
    if (Shard::current() == shard_.get()) {
        work();
    } else {
        shard_->post(std::move(work));
    }
}

std::string ServerExchange::take_body() { return std::exchange(body_, {}); }

bool ServerExchange::append_body(std::string_view bytes) {
    auto& total = shard_->shared->body_bytes;
    body_counted_ += bytes.size();
    if (total.fetch_add(bytes.size(), std::memory_order_relaxed) + bytes.size() >
        shard_->shared->options.bodies_bytes_max) {
        return false;
    }
    body_.append(bytes);
    return true;
}

void ServerExchange::respond(Response whole) {
    if (answered_.exchange(true)) {
        return;
    }
    if (Shard::current() == shard_.get()) {
        response = std::move(whole);
        state = State::whole;
        progress();
        return;
    }
    shard_->post([self = shared_from_this(), whole = std::move(whole)]() mutable {
        self->response = std::move(whole);
        self->state = State::whole;
        self->progress();
    });
}

bool ServerExchange::answer(Response whole) {
    if (answered_.exchange(true)) {
        return false;
    }
    response = std::move(whole);
    state = State::whole;
    return true;
}

void ServerExchange::begin_stream(int status, Headers headers) {
    if (answered_.exchange(true)) {
        return;
    }
    {
        const std::lock_guard lock(mutex_);
        begun_ = true;
        discards_ = is_head_method || has_no_body(status);
    }
    Response head{.status = status, .headers = std::move(headers)};
    run_on_loop([self = shared_from_this(), head = std::move(head)]() mutable {
        self->response = std::move(head);
        self->state = State::streaming;
        self->progress();
    });
}

Sending ServerExchange::write(std::string bytes, std::function<void()> drained) {
    const std::size_t mark = shard_->shared->options.stream_buffer_bytes;
    const bool on_loop = Shard::current() == shard_.get();
    bool schedule = false;
    {
        const std::lock_guard lock(mutex_);
        if (!begun_ || ended_ || discards_ || gone_ != CancelReason::none) {
            return Sending::closed;
        }
        if (written_.size() + unsent_ > 4 * mark) {
            overflowed_ = true;
            schedule = true;
        } else if (written_.empty()) {
            written_ = std::move(bytes);
        } else {
            written_ += bytes;
        }
        schedule = !std::exchange(scheduled_, true) || schedule;
        // Elsewhere the loop may be quicker than we are; here it goes on when we return.
        if (!on_loop && written_.size() + unsent_ > mark) {
            drained_ = std::move(drained);
            if (schedule) {
                shard_->post([self = shared_from_this()] { self->progress(); });
            }
            return Sending::wait;
        }
    }
    if (schedule) {
        run_on_loop([self = shared_from_this()] { self->progress(); });
    }
    if (!on_loop) {
        return Sending::more;
    }
    const std::lock_guard lock(mutex_);
    if (gone_ != CancelReason::none) {
        return Sending::closed;
    }
    if (written_.size() + unsent_ <= mark) {
        return Sending::more;
    }
    drained_ = std::move(drained);
    return Sending::wait;
}

void ServerExchange::end_stream() {
    {
        const std::lock_guard lock(mutex_);
        if (!begun_ || std::exchange(ended_, true) || std::exchange(scheduled_, true)) {
            return;
        }
    }
    run_on_loop([self = shared_from_this()] { self->progress(); });
}

void ServerExchange::progress() {
    if (connection_ != nullptr) {
        connection_->pump();
    }
}

ServerExchange::Written ServerExchange::take_written() {
    const std::lock_guard lock(mutex_);
    scheduled_ = false;
    unsent_ += written_.size();
    return {std::exchange(written_, {}), ended_ || discards_, overflowed_};
}

void ServerExchange::note_unsent(std::size_t unsent) {
    std::function<void()> drained;
    {
        const std::lock_guard lock(mutex_);
        unsent_ = unsent;
        if (drained_ &&
            written_.size() + unsent_ <= shard_->shared->options.stream_buffer_bytes / 4) {
            drained = std::exchange(drained_, nullptr);
        }
    }
    if (drained) {
        drained();
    }
}

void ServerExchange::mark_gone(CancelReason reason) {
    std::function<void()> drained;
    std::function<void()> gone;
    {
        const std::lock_guard lock(mutex_);
        if (gone_ != CancelReason::none) {
            return;
        }
        gone_ = reason;
        if (token_) {
            token_->cancel(reason);
        }
        drained = std::exchange(drained_, nullptr);
        gone = std::exchange(gone_callback_, nullptr);
    }
    if (drained) {
        drained();
    }
    if (gone) {
        gone();
    }
}

CancelToken ServerExchange::cancelled() {
    const std::lock_guard lock(mutex_);
    if (!token_) {
        token_.emplace();
        if (gone_ != CancelReason::none) {
            token_->cancel(gone_);
        }
    }
    return *token_;
}

void ServerExchange::on_cancel(std::function<void()> gone) {
    {
        const std::lock_guard lock(mutex_);
        if (gone_ == CancelReason::none) {
            gone_callback_ = std::move(gone);
            return;
        }
    }
    gone();
}

void ServerExchange::resume_body() {
    run_on_loop([self = shared_from_this()] {
        if (self->connection_ != nullptr) {
            self->connection_->resume_body(*self);
        }
    });
}

void ServerExchange::set_context(std::shared_ptr<void> context) {
    const std::lock_guard lock(mutex_);
    context_ = std::move(context);
}

std::shared_ptr<void> ServerExchange::context() {
    const std::lock_guard lock(mutex_);
    return context_;
}

}  // namespace lab::http
