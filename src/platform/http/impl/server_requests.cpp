#include "platform/http/impl/server_connection.h"

namespace lab::http {

// The part of a connection that makes requests out of bytes.

void Connection::take_input(std::size_t bytes) { in_begin_ += bytes; }

bool Connection::read_requests() {
    bool moved = false;
    while (!closed_ && !closing_) {
        bool went_on = false;
        switch (input_) {
            case Input::head:
                went_on = read_head();
                break;
            case Input::held:
                if (may_start(reader_.head())) {
                    start_request();
                    went_on = true;
                }
                break;
            case Input::body:
                went_on = read_body();
                break;
            case Input::skip:
                went_on = skip_body();
                break;
            case Input::handshake:
            case Input::ended:
                break;
        }
        if (!went_on) {
            break;
        }
        moved = true;
    }
    return moved;
}

bool Connection::read_head() {
    if (slots_.size() >= options().pipelining_max) {
        return false;
    }
    if (input_size() == 0) {
        if (peer_ended_) {
            input_ = Input::ended;
            return true;
        }
        return false;
    }
    switch (reader_.read({input(), input_size()})) {
        case HeadReader::State::more:
            if (peer_ended_) {
                refuse(400, "BAD_REQUEST", "the request head is not complete");
                return true;
            }
            return false;
        case HeadReader::State::refused: {
            const Refusal refusal = reader_.refusal();
            refuse(refusal.status, refusal.code, refusal.why);
            return true;
        }
        case HeadReader::State::complete:
            input_ = Input::held;
            return true;
    }
    return false;
}

// Only requests that change nothing may be worked on at the same time (RFC 9112, 9.3.2).
bool Connection::may_start(const Head& head) const {
    if (open_ == 0) {
        return true;
    }
    const std::string& method = head.request.method;
    return open_unsafe_ == 0 && head.framing == Framing::none &&
           (method == "GET" || method == "HEAD" || method == "OPTIONS");
}

ServerExchange& Connection::open_exchange(RequestHead head) {
    auto exchange =
        std::make_unique<ServerExchange>(shard_.shared_from_this(), *this, std::move(head));
    slots_.push_back(exchange.get());
    ++open_;
    ++shard_.in_flight;
    return *exchange.release();  // the queue holds it now
}

void Connection::start_request() {
    Head head = std::move(reader_.head());
    const std::size_t size = reader_.size();
    reader_.reset();
    take_input(size);
    head.request.peer = peer_;
    head.request.received = first_byte_;
    framing_ = head.framing;
    body_left_ = head.content_length;
    body_bytes_ = 0;
    last_request_ = !head.keep_alive;
    served_ = true;
    if (!shard_.draining()) {
        last_until_ = TimePoint::max();
    }
    if (entry_) {
        entry_->set_phase(Phase::busy, now_);
    }
    shard_.requests.fetch_add(1, std::memory_order_relaxed);

    ServerExchange& exchange = open_exchange(std::move(head.request));
    exchange.bytes_in = size;
    exchange.keep_alive = head.keep_alive;
    exchange.is_safe = exchange.is_safe && framing_ == Framing::none;
    open_unsafe_ += exchange.is_safe ? 0 : 1;

    BodyPlan plan = shared_.application.on_head(exchange.head());
    if (plan.kind == BodyPlan::Kind::reply_now) {
        exchange.set_context(std::move(plan.context));
        exchange.answer(std::move(plan.reply));
        if (framing_ == Framing::none) {
            next_request();
        } else if (framing_ == Framing::length && body_left_ <= options().discard_bytes_max &&
                   !head.expects_continue) {
            input_ = Input::skip;
            item_began_ = last_input_ = now_;
        } else {
            input_ = Input::ended;
            must_linger_ = true;
        }
        return;
    }
    if (framing_ == Framing::length && body_left_ > plan.bytes_max) {
        reject_body(exchange, 413, "PAYLOAD_TOO_LARGE", "the request body is too large");
        return;
    }
    start_body(exchange, plan);
    continue_due_ = head.expects_continue && input_ == Input::body;
    if (!plan.continues_later) {
        send_continue();
    }
}

/// To who waits for it: a body that is there already needs no invitation.
void Connection::send_continue() {
    if (!std::exchange(continue_due_, false) || input_size() != 0 || body_bytes_ != 0 ||
        receiving_ == nullptr || receiving_->is_answered()) {
        return;
    }
    static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
    out_.append(kContinue);
    queued_ += kContinue.size();
    item_began_ = last_input_ = now_;
}

void Connection::start_body(ServerExchange& exchange, BodyPlan& plan) {
    exchange.body_bytes_max = plan.bytes_max;
    if (plan.kind == BodyPlan::Kind::stream) {
        LAB_ASSERT(plan.sink != nullptr, "a streamed body has a sink");
        exchange.sink = std::move(plan.sink);
    }
    input_ = Input::body;
    item_began_ = last_input_ = now_;
    receiving_ = &exchange;
    body_paused_ = false;
    chunks_.reset();
    if (framing_ == Framing::chunked) {
        chunks_.emplace(options().header_bytes_max);
    }
    if (exchange.sink) {
        exchange.sink->on_begin(exchange.handle());
    }
    if (framing_ == Framing::none) {
        complete_body();
    }
}

void Connection::next_request() {
    input_ = last_request_ ? Input::ended : Input::head;
    item_began_ = first_byte_ = now_;
    framing_ = Framing::none;
}

void Connection::complete_body() {
    ServerExchange& exchange = *std::exchange(receiving_, nullptr);
    body_paused_ = false;
    next_request();
    if (const std::shared_ptr<BodySink> sink = std::exchange(exchange.sink, nullptr)) {
        sink->on_complete();
    } else {
        shared_.application.on_request(exchange.handle());
    }
}

/// Lets go of the body that is being received, if any.
void Connection::abort_body() {
    body_paused_ = false;
    if (receiving_ == nullptr) {
        return;
    }
    ServerExchange& exchange = *std::exchange(receiving_, nullptr);
    if (const std::shared_ptr<BodySink> sink = std::exchange(exchange.sink, nullptr)) {
        sink->on_abort();
    }
}

void Connection::reject_body(
    ServerExchange& exchange, int status, std::string_view code, std::string_view why
) {
    input_ = Input::ended;
    must_linger_ = true;
    Response response = shared_.application.refuse(status, code, why, &exchange.head());
    response.status = status;
    response.close = true;
    exchange.answer(std::move(response));
    abort_body();
}

bool Connection::read_body() {
    if (receiving_->is_answered()) {
        input_ = Input::ended;
        must_linger_ = true;
        abort_body();
        return true;
    }
    if (body_paused_) {
        return false;
    }
    if (input_size() == 0) {
        if (peer_ended_) {
            reject_body(*receiving_, 400, "BAD_REQUEST", "the request body is not complete");
            return true;
        }
        return false;
    }
    if (framing_ == Framing::chunked) {
        return read_chunks();
    }
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, input_size()));
    const std::string_view bytes(input(), part);
    take_input(part);
    body_left_ -= part;
    receiving_->bytes_in += part;
    if (deliver(bytes) && body_left_ == 0) {
        complete_body();
    }
    return true;
}

bool Connection::read_chunks() {
    LAB_ASSERT(chunks_.has_value(), "a chunked body has its reader");
    ChunkReader& chunks = *chunks_;
    ChunkReader::Step step;
    const ChunkReader::State state = chunks.read(input(), input_size(), step);
    const std::string_view bytes(input(), step.size);
    take_input(step.taken);
    receiving_->bytes_in += step.taken;
    if (body_bytes_ + bytes.size() > receiving_->body_bytes_max) {
        reject_body(*receiving_, 413, "PAYLOAD_TOO_LARGE", "the request body is too large");
        return true;
    }
    if (!bytes.empty() && !deliver(bytes)) {
        return true;
    }
    if (state == ChunkReader::State::refused) {
        reject_body(*receiving_, 400, "BAD_REQUEST", chunks.why());
    } else if (state == ChunkReader::State::complete) {
        complete_body();
    }
    return true;
}

/// False when the body has been given up.
bool Connection::deliver(std::string_view bytes) {
    body_bytes_ += bytes.size();
    ServerExchange& exchange = *receiving_;
    if (const std::shared_ptr<BodySink> sink = exchange.sink) {
        body_paused_ = sink->on_bytes(bytes) == BodySink::Flow::pause;
        return true;
    }
    if (!exchange.append_body(bytes)) {
        reject_body(exchange, 503, "OVERLOADED", "too many request bodies at once");
        return false;
    }
    return true;
}

bool Connection::skip_body() {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(body_left_, input_size()));
    if (part == 0) {
        if (peer_ended_) {
            input_ = Input::ended;
            return true;
        }
        return false;
    }
    take_input(part);
    body_bytes_ += part;
    body_left_ -= part;
    if (body_left_ == 0) {
        next_request();
    }
    return true;
}

void Connection::resume_body(ServerExchange& exchange) {
    if (receiving_ == &exchange) {
        body_paused_ = false;
        send_continue();
        pump();
    }
}

void Connection::refuse(int status, std::string_view code, std::string_view why) {
    input_ = Input::ended;
    must_linger_ = true;
    ServerExchange& exchange = open_exchange({});
    exchange.has_head = false;
    exchange.bytes_in = input_size();
    Response response = shared_.application.refuse(status, code, why, nullptr);
    response.status = status;
    response.close = true;
    exchange.answer(std::move(response));
}

void Connection::abandoned(ServerExchange& exchange) {
    Response response = shared_.application.refuse(
        500, "INTERNAL_ERROR", "the request got no answer", &exchange.head()
    );
    response.status = 500;
    response.close = true;
    exchange.answer(std::move(response));
    pump();
}

// Whoever closes the sending side counts as gone, but gets answers that come all the same.
void Connection::input_ended() {
    peer_ended_ = true;
    if (lingering_ || input_ == Input::handshake) {
        close(CancelReason::user);
        return;
    }
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i]->state == ServerExchange::State::streaming) {
            cut_asked_ = true;
        } else if (slots_[i]->state == ServerExchange::State::open) {
            slots_[i]->mark_gone(CancelReason::user);
        }
    }
}

}  // namespace lab::http
