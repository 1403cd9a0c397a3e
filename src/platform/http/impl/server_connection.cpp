#include "platform/http/impl/server_connection.h"

#include "platform/process/event_loop_native.h"

#include <array>
#include <cstring>

namespace lab::http {
namespace {

using Descriptor = boost::asio::posix::stream_descriptor;

constexpr std::size_t kInputFirst = 4U << 10;
constexpr std::size_t kInputMax = 64U << 10;
/// With more to send than this we read no further requests.
constexpr std::size_t kOutputMark = 512U << 10;
/// What may come behind the last request while it is worked on.
constexpr std::size_t kDroppedMax = 64U << 10;
/// How long a connection may take for one more request when the server stops. Who keeps connections
/// may be sending on one at this moment, and would see it end without an answer.
constexpr Duration kLastGrace = std::chrono::seconds(1);

TimePoint later(TimePoint from, Duration by) {
    return TimePoint::max() - from < by ? TimePoint::max() : from + by;
}

}  // namespace

Connection::Connection(
    Shard& shard,
    OwnedFd fd,
    Peer peer,
    std::shared_ptr<ConnectionTable::Entry> entry,
    std::unique_ptr<ServerSocket> socket
)
    : shard_(shard),
      shared_(*shard.shared),
      descriptor_(shard.loop().native().io),
      socket_(std::move(socket)),
      peer_(std::move(peer)),
      entry_(std::move(entry)),
      reader_(shared_.head_limits()) {
    if (entry_) {
        entry_->owner = this;
    }
    boost::system::error_code error;
    if (descriptor_.assign(fd.get(), error)) {
        closed_ = true;  // out of kernel memory: start() gives it back
    } else {
        fd.release();
    }
}

Connection::~Connection() = default;

void Connection::start() {
    const auto self = shared_from_this();
    now_ = item_began_ = first_byte_ = last_input_ = shard_.clock().now();
    if (std::exchange(closed_, false)) {
        close(CancelReason::user);
        return;
    }
    input_ = peer_.tls ? Input::handshake : Input::head;
    if (shard_.draining()) {
        last_until_ = now_ + kLastGrace;
    }
    // Most have sent their request already: not to wait for a turn that a loop under load gives
    // late.
    on_readable();
}

void Connection::start_turned_away() {
    const auto self = shared_from_this();
    now_ = item_began_ = first_byte_ = last_input_ = shard_.clock().now();
    turned_away_ = true;
    if (std::exchange(closed_, false)) {
        close(CancelReason::user);
        return;
    }
    refuse(503, "OVERLOADED", "all connections are taken");
    pump();
}

void Connection::pump() {
    if (pumping_) {
        again_ = true;
        return;
    }
    const auto self = shared_from_this();
    pumping_ = true;
    now_ = shard_.clock().now();
    bool moved = true;
    while (moved && !closed_) {
        again_ = false;
        moved = read_requests();
        moved = write_answers() || moved;
        moved = flush() || moved || again_;
        if (cut_asked_ && !closed_) {
            close(cut_reason_);
        }
    }
    pumping_ = false;
    settle();
}

// --- Events ------------------------------------------------------------------------------------

void Connection::arm_read() {
    if (read_armed_ || closed_) {
        return;
    }
    read_armed_ = true;
    if (socket_->has_pending()) {
        shard_.loop().post([self = shared_from_this()] {
            self->read_armed_ = false;
            self->on_readable();
        });
        return;
    }
    descriptor_.async_wait(
        Descriptor::wait_read,
        [self = shared_from_this()](const boost::system::error_code& error) {
            self->read_armed_ = false;
            if (!error) {
                self->on_readable();
            }
        }
    );
}

void Connection::arm_write() {
    if (write_armed_ || closed_) {
        return;
    }
    write_armed_ = true;
    descriptor_.async_wait(
        Descriptor::wait_write,
        [self = shared_from_this()](const boost::system::error_code& error) {
            self->write_armed_ = false;
            if (!error) {
                self->on_writable();
            }
        }
    );
}

void Connection::on_readable() {
    if (closed_) {
        return;
    }
    now_ = shard_.clock().now();
    if (input_ == Input::handshake) {
        shake_hands();
    } else if (wants_input()) {
        read_once();
    }
    pump();
}

void Connection::on_writable() {
    if (closed_) {
        return;
    }
    now_ = shard_.clock().now();
    if (input_ == Input::handshake) {
        shake_hands();
    } else if (wants_input() && peer_.tls) {
        read_once();  // TLS may have had to write in order to read
    }
    pump();
}

void Connection::shake_hands() {
    switch (socket_->shake_hands().io) {
        case Io::done:
            input_ = Input::head;
            return;
        case Io::wait_read:
            arm_read();
            return;
        case Io::wait_write:
            arm_write();
            return;
        default:
            close(CancelReason::user);
            return;
    }
}

bool Connection::wants_input() const {
    if (closed_ || peer_ended_) {
        return false;
    }
    if (lingering_ || input_ == Input::handshake) {
        return true;
    }
    if (closing_ || input_ == Input::held || body_paused_ || out_.size() > kOutputMark) {
        return false;
    }
    if (input_ == Input::ended) {
        return open_ > 0 && dropped_ < kDroppedMax;  // to see the client go
    }
    return input_ != Input::head || slots_.size() < options().pipelining_max;
}

bool Connection::make_space() {
    if (in_begin_ == in_end_) {
        in_begin_ = in_end_ = 0;
    }
    if (in_end_ < in_capacity_) {
        return true;
    }
    if (in_begin_ > 0) {
        std::memmove(in_.get(), input(), input_size());
        in_end_ -= in_begin_;
        in_begin_ = 0;
        return true;
    }
    const std::size_t most = std::max(kInputMax, head_bytes_max(shared_.head_limits()) + 64);
    if (in_capacity_ >= most) {
        return false;
    }
    const std::size_t more = in_capacity_ == 0 ? kInputFirst : std::min(most, 2 * in_capacity_);
    auto larger = std::make_unique_for_overwrite<char[]>(more);
    if (in_end_ > 0) {
        std::memcpy(larger.get(), in_.get(), in_end_);
    }
    in_ = std::move(larger);
    in_capacity_ = more;
    return true;
}

void Connection::read_once() {
    if (!make_space()) {
        return;
    }
    const IoStep step = socket_->read(in_.get() + in_end_, in_capacity_ - in_end_);
    switch (step.io) {
        case Io::done:
            shard_.bytes_in.fetch_add(step.bytes, std::memory_order_relaxed);
            if (lingering_ || input_ == Input::ended) {
                dropped_ += step.bytes;
                return;
            }
            if (input_ == Input::head && input_size() == 0) {
                first_byte_ = now_;
                item_began_ = served_ ? now_ : item_began_;
            }
            in_end_ += step.bytes;
            last_input_ = now_;
            return;
        case Io::end:
            input_ended();
            return;
        case Io::wait_write:
            arm_write();
            return;
        case Io::wait_read:
            return;
        case Io::failed:
            close(CancelReason::user);
            return;
    }
}

// --- Sending -----------------------------------------------------------------------------------

bool Connection::flush() {
    if (closed_ || input_ == Input::handshake) {
        return false;
    }
    bool moved = false;
    while (!out_.empty() && !write_armed_) {
        std::array<iovec, 16> parts;  // NOLINT: filled below
        const std::size_t used = out_.parts(parts);
        std::size_t size = 0;
        for (std::size_t i = 0; i < used; ++i) {
            size += parts[i].iov_len;
        }
        const IoStep step = socket_->write(std::span(parts).first(used));
        if (step.io == Io::done) {
            moved = true;
            sent_ += step.bytes;
            shard_.bytes_out.fetch_add(step.bytes, std::memory_order_relaxed);
            out_.consume(step.bytes);
            if (step.bytes == size || peer_.tls) {
                continue;
            }
        } else if (step.io == Io::wait_read) {
            arm_read();
            break;
        } else if (step.io != Io::wait_write) {
            close(CancelReason::user);
            return false;
        }
        arm_write();
    }
    if (out_.empty()) {
        stall_limit_ = TimePoint::max();
    } else if (stall_limit_ == TimePoint::max()) {
        stall_limit_ = later(now_, options().write_stall_timeout);
        stall_mark_ = sent_;
    }
    if (moved) {
        settle_sent();
    }
    return moved;
}

void Connection::settle_sent() {
    while (written_ > 0 && slots_.front()->out_end <= sent_) {
        ServerExchange& exchange = *slots_.front();
        slots_.erase(slots_.begin());
        --written_;
        release(exchange, true);
    }
    if (slots_.empty() && input_ == Input::head && input_size() == 0) {
        item_began_ = now_;
    }
    if (written_ < slots_.size() && slots_[written_]->state == ServerExchange::State::streaming) {
        slots_[written_]->note_unsent(out_.size());
    }
}

void Connection::release(ServerExchange& exchange, bool complete) {
    const bool answered = exchange.state != ServerExchange::State::open;
    const std::uint64_t end =
        exchange.state == ServerExchange::State::written ? exchange.out_end : sent_;
    shared_.application.on_response_sent({
        .head = exchange.has_head ? &exchange.head() : nullptr,
        .context = exchange.context(),
        .status = answered ? exchange.response.status : 0,
        .bytes_in = exchange.bytes_in,
        .bytes_out = std::min(end, sent_) - std::min(exchange.out_begin, sent_),
        .duration = exchange.has_head ? now_ - exchange.head().received : Duration::zero(),
        .complete = complete,
    });
    exchange.let_go();
}

// --- Limits ------------------------------------------------------------------------------------

bool Connection::is_idle() const {
    return input_ == Input::head && input_size() == 0 && slots_.empty() && out_.empty();
}

void Connection::settle() {
    if (closed_) {
        return;
    }
    const bool nothing_left = slots_.empty() && out_.empty();
    if ((closing_ && out_.empty()) || (input_ == Input::ended && nothing_left)) {
        end_connection();
    } else if (shard_.draining() && is_idle() && now_ >= last_until_) {
        close(CancelReason::shutdown);
    }
    if (closed_) {
        return;
    }
    const bool wants = wants_input();
    if (!wants && suspended_at_ == TimePoint::max()) {
        suspended_at_ = now_;
    } else if (wants && suspended_at_ != TimePoint::max()) {
        // The time in which we did not want to read does not count.
        item_began_ = std::min(now_, item_began_ + (now_ - suspended_at_));
        last_input_ = now_;
        suspended_at_ = TimePoint::max();
    }
    if (wants) {
        arm_read();
    }
    if (is_idle() && in_capacity_ > 2 * kInputFirst) {
        in_.reset();
        in_capacity_ = in_begin_ = in_end_ = 0;
    }
    update_phase();
    arm_timer();
}

// All answers have left. A client that may still be sending would lose them to a reset if we closed
// now (RFC 9112, 9.6): it gets our end of the connection, and some time to notice.
void Connection::end_connection() {
    if (lingering_) {
        return;
    }
    closing_ = true;
    socket_->end_sending();
    lingering_ = true;
    linger_until_ = later(now_, options().linger_timeout);
    drop_slots(CancelReason::user);
    if (peer_ended_) {
        close(CancelReason::user);
    } else if (!must_linger_) {
        const std::size_t before = dropped_;
        read_once();
        if (!closed_ && dropped_ == before) {
            close(CancelReason::user);
        }
    }
}

void Connection::update_phase() {
    if (!entry_) {
        return;
    }
    Phase phase = Phase::busy;
    if (lingering_ || input_ == Input::handshake) {
        phase = Phase::incomplete;
    } else if (slots_.empty() && out_.empty() && input_ == Input::head) {
        phase = input_size() > 0 || !served_ ? Phase::incomplete : Phase::idle;
    } else if (open_ == 0 && !out_.empty()) {
        phase = Phase::sending;
    } else if ((input_ == Input::body || input_ == Input::skip) && !body_paused_) {
        phase = Phase::receiving;
    }
    entry_->set_phase(phase, now_);
}

TimePoint Connection::input_limit() const {
    if (lingering_ || !wants_input()) {
        return TimePoint::max();
    }
    switch (input_) {
        case Input::handshake:
        case Input::head:
            if (input_size() > 0) {
                return later(item_began_, options().header_timeout);
            }
            if (!served_) {
                return std::min(later(item_began_, options().header_timeout), last_until_);
            }
            return is_idle() ? std::min(later(item_began_, options().idle_timeout), last_until_)
                             : TimePoint::max();
        case Input::body:
        case Input::skip: {
            const auto earned =
                std::chrono::milliseconds(1000 * body_bytes_ / options().body_rate_min);
            return std::min(
                later(item_began_, options().header_timeout + earned),
                later(last_input_, options().idle_timeout)
            );
        }
        default:
            return TimePoint::max();
    }
}

void Connection::arm_timer() {
    const TimePoint due = std::min({input_limit(), stall_limit_, linger_until_});
    // One that rings too early costs a look; it is moved only when it would ring too late.
    if (due >= timer_at_) {
        return;
    }
    if (timer_ != 0) {
        shard_.loop().cancel_timer(timer_);
    }
    timer_at_ = due;
    timer_ = shard_.loop().call_at(due, [this] { on_timer(); });
}

void Connection::on_timer() {
    const auto self = shared_from_this();
    timer_ = 0;
    timer_at_ = TimePoint::max();
    now_ = shard_.clock().now();
    check_limits();
    if (!closed_) {
        pump();
    }
}

void Connection::check_limits() {
    if (linger_until_ <= now_) {
        close(CancelReason::user);
        return;
    }
    if (stall_limit_ <= now_) {
        const auto seconds = std::chrono::duration<double>(options().write_stall_timeout).count();
        if (static_cast<double>(sent_ - stall_mark_) <
            seconds * static_cast<double>(options().body_rate_min)) {
            close(CancelReason::user);
            return;
        }
        stall_limit_ = later(now_, options().write_stall_timeout);
        stall_mark_ = sent_;
    }
    if (input_limit() > now_) {
        return;
    }
    switch (input_) {
        case Input::head:
            if (input_size() > 0) {
                refuse(408, "REQUEST_TIMEOUT", "the request head took too long");
                return;
            }
            close(CancelReason::user);
            return;
        case Input::body:
            reject_body(*receiving_, 408, "REQUEST_TIMEOUT", "the request body came too slowly");
            return;
        case Input::skip:
            input_ = Input::ended;
            return;
        default:
            close(CancelReason::user);
            return;
    }
}

// --- The end -----------------------------------------------------------------------------------

void Connection::cut(CancelReason reason) {
    if (closed_) {
        return;
    }
    if (pumping_) {
        cut_asked_ = again_ = true;
        cut_reason_ = reason;
        return;
    }
    close(reason);
}

void Connection::evict() {
    if (closed_) {
        return;
    }
    now_ = shard_.clock().now();
    update_phase();
    if (entry_->has_moved_on()) {
        shared_.table.restore(entry_);
    } else {
        close(CancelReason::shutdown);
    }
}

void Connection::drain() {
    if (closed_) {
        return;
    }
    now_ = shard_.clock().now();
    last_until_ = now_ + kLastGrace;
    if (is_idle()) {
        read_once();  // a request that has arrived is answered
    }
    if (!closed_) {
        pump();
    }
}

void Connection::drop_slots(CancelReason reason) {
    written_ = 0;
    for (ServerExchange* exchange : std::exchange(slots_, {})) {
        if (exchange->state != ServerExchange::State::written) {
            --open_;
            --shard_.in_flight;
        }
        exchange->mark_gone(reason);
        release(*exchange, false);
    }
}

void Connection::close(CancelReason reason) {
    if (std::exchange(closed_, true)) {
        return;
    }
    const auto self = shared_from_this();
    if (timer_ != 0) {
        shard_.loop().cancel_timer(timer_);
    }
    boost::system::error_code failed;
    if (descriptor_.close(failed)) {
        failed.clear();  // it is given up all the same: there is nothing left to do with it
    }
    if (entry_) {
        entry_->owner = nullptr;
        shared_.table.remove(entry_);
    }
    abort_body();
    out_.clear();
    drop_slots(reason);
    if (turned_away_) {
        --shared_.turned_away;
    }
    shard_.remove(*this);
}

}  // namespace lab::http
