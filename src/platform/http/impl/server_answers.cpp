#include "platform/http/impl/server_connection.h"

#include <array>
#include <charconv>

namespace lab::http {

// The part of a connection that makes bytes out of answers.

bool Connection::write_answers() {
    bool moved = false;
    while (!closed_ && !closing_ && written_ < slots_.size()) {
        ServerExchange& exchange = *slots_[written_];
        if (exchange.state == ServerExchange::State::streaming) {
            if (!write_stream(exchange)) {
                break;
            }
        } else if (exchange.state == ServerExchange::State::whole) {
            write_whole(exchange);
        } else {
            break;
        }
        moved = true;
    }
    return moved;
}

// The last answer of a connection says so.
bool Connection::closes_behind(const ServerExchange& exchange) const {
    if (exchange.response.close || !exchange.keep_alive) {
        return true;
    }
    if (&exchange != slots_.back()) {
        return false;
    }
    return input_ == Input::ended ||
           (input_ == Input::head && input_size() == 0 && (shard_.draining() || peer_ended_));
}

/// The application's mistake, or an attempt to make two answers of one: a 500 goes instead.
void Connection::replace_unsendable(ServerExchange& exchange) {
    Response& response = exchange.response;
    response = shared_.application.refuse(
        500,
        "INTERNAL_ERROR",
        "the answer cannot be sent",
        exchange.has_head ? &exchange.head() : nullptr
    );
    response.status = 500;
    response.close = true;
    if (!are_sendable(response.status, response.headers)) {
        response = {.status = 500, .close = true};
    }
}

void Connection::write_whole(ServerExchange& exchange) {
    Response& response = exchange.response;
    if (!are_sendable(response.status, response.headers)) {
        replace_unsendable(exchange);
    }
    const bool closes = closes_behind(exchange);
    const bool no_body = has_no_body(response.status);
    const HeadToSend head{
        .status = response.status,
        .end = no_body ? BodyEnd::none : BodyEnd::length,
        .length = response.body.size(),
        .close = closes,
        .says_keep_alive = exchange.has_head && exchange.head().version_minor == 0,
    };
    exchange.out_begin = queued_;
    const std::size_t before = out_.size();
    out_.append_with([&](std::string& out) {
        append_head(out, head, response.headers, shard_.date(), response.fixed_lines);
    });
    if (!no_body && !exchange.is_head_method) {
        out_.append(std::move(response.body));
    }
    queued_ += out_.size() - before;
    finish_answer(exchange, closes);
}

void Connection::write_stream_head(ServerExchange& exchange) {
    Response& response = exchange.response;
    response.close = closes_behind(exchange);
    const std::string_view length = find_header(response.headers, "Content-Length");
    if (has_no_body(response.status)) {
        exchange.body_end = BodyEnd::none;
    } else if (!length.empty()) {
        exchange.body_end = BodyEnd::length;
        std::from_chars(length.data(), length.data() + length.size(), exchange.length_left);
    } else if (exchange.head().version_minor > 0) {
        exchange.body_end = BodyEnd::chunked;
    } else {
        exchange.body_end = BodyEnd::close;
        response.close = true;
    }
    const HeadToSend head{
        .status = response.status,
        .end = exchange.body_end,
        .length = exchange.length_left,
        .close = response.close,
        .says_keep_alive = exchange.head().version_minor == 0,
    };
    exchange.out_begin = queued_;
    const std::size_t before = out_.size();
    out_.append_with([&](std::string& out) {
        append_head(out, head, response.headers, shard_.date(), response.fixed_lines);
    });
    queued_ += out_.size() - before;
    exchange.head_written = true;
}

void Connection::write_pieces(ServerExchange& exchange, std::string bytes) {
    if (bytes.empty()) {
        return;
    }
    const std::size_t before = out_.size();
    if (exchange.body_end == BodyEnd::chunked) {
        std::array<char, 20> size{};
        char* end = std::to_chars(size.data(), size.data() + size.size() - 2, bytes.size(), 16).ptr;
        *end++ = '\r';
        *end++ = '\n';
        out_.append(std::string_view(size.data(), end));
        out_.append(std::move(bytes));
        out_.append(std::string_view("\r\n"));
    } else {
        out_.append(std::move(bytes));
    }
    queued_ += out_.size() - before;
}

/// True when the stream is complete.
bool Connection::write_stream(ServerExchange& exchange) {
    if (!exchange.head_written) {
        if (!are_sendable(exchange.response.status, exchange.response.headers)) {
            exchange.mark_gone(CancelReason::user);  // no more bytes for it
            replace_unsendable(exchange);
            write_whole(exchange);
            return true;
        }
        write_stream_head(exchange);
    }
    ServerExchange::Written written = exchange.take_written();
    const bool has_body = exchange.body_end != BodyEnd::none && !exchange.is_head_method;
    const bool too_much = exchange.body_end == BodyEnd::length && has_body &&
                          written.bytes.size() > exchange.length_left;
    if (written.overflowed || too_much) {
        cut_asked_ = true;
        return false;
    }
    if (exchange.body_end == BodyEnd::length && has_body) {
        exchange.length_left -= written.bytes.size();
    }
    write_pieces(exchange, std::move(written.bytes));
    if (!written.ended) {
        return false;
    }
    if (exchange.body_end == BodyEnd::length && has_body && exchange.length_left > 0) {
        cut_asked_ = true;
        return false;
    }
    if (exchange.body_end == BodyEnd::chunked && has_body) {
        static constexpr std::string_view kEnd = "0\r\n\r\n";
        out_.append(kEnd);
        queued_ += kEnd.size();
    }
    finish_answer(exchange, closes_behind(exchange));
    return true;
}

void Connection::finish_answer(ServerExchange& exchange, bool closes) {
    exchange.state = ServerExchange::State::written;
    exchange.out_end = queued_;
    ++written_;
    --open_;
    --shard_.in_flight;
    open_unsafe_ -= exchange.is_safe ? 0 : 1;
    if (closes) {
        closing_ = true;
        must_linger_ = must_linger_ || input_ != Input::ended || input_size() > 0;
    }
}

}  // namespace lab::http
