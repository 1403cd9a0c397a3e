#pragma once
#include "platform/http/impl/server_chunks.h"
#include "platform/http/impl/server_exchange.h"
#include "platform/http/impl/server_output.h"

#include <boost/asio/posix/stream_descriptor.hpp>

#include <optional>
#include <vector>

namespace lab::http {

/// One accepted connection: reads requests, queues their answers, keeps the time limits. Belongs to
/// its shard, runs on the shard's thread alone.
///
/// Every event ends in pump(): read what can be read from the buffer, put ready answers into the
/// output in the order of their requests, send; again as long as that moves anything. Callbacks of
/// the application in between may answer at once; pump() notices and goes round once more.
class Connection : public std::enable_shared_from_this<Connection> {
  public:
    Connection(
        Shard& shard,
        OwnedFd fd,
        Peer peer,
        std::shared_ptr<ConnectionTable::Entry> entry,
        std::unique_ptr<ServerSocket> socket
    );
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void start();
    /// There was no room for it: it gets a 503.
    void start_turned_away();
    void pump();
    /// The exchange was let go without an answer.
    void abandoned(ServerExchange& exchange);
    void resume_body(ServerExchange& exchange);
    /// At once, whatever is under way.
    void cut(CancelReason reason = CancelReason::user);
    /// Asked to make room: goes, unless it is busy again.
    void evict();
    /// The server stops: nothing new after what has been sent already.
    void drain();

    std::size_t place = 0;  ///< in the shard's list

  private:
    enum class Input : std::uint8_t {
        handshake,
        head,
        held,   ///< a head that waits for earlier answers
        body,   ///< for receiving_
        skip,   ///< a body nobody wants
        ended,  ///< no more requests
    };

    // server_connection.cpp: events, sending, limits.
    void on_readable();
    void on_writable();
    void read_once();
    bool make_space();
    void shake_hands();
    void arm_read();
    void arm_write();
    bool wants_input() const;
    bool flush();
    void settle_sent();
    void settle();
    void end_connection();
    void update_phase();
    TimePoint next_limit();
    TimePoint input_limit() const;
    void arm_timer();
    void on_timer();
    void check_limits();
    void close(CancelReason reason);
    void release(ServerExchange& exchange, bool complete);
    void drop_slots(CancelReason reason);
    bool is_idle() const;

    // server_requests.cpp: from bytes to requests.
    bool read_requests();
    bool read_head();
    bool may_start(const Head& head) const;
    void start_request();
    void send_continue();
    void start_body(ServerExchange& exchange, BodyPlan& plan);
    void reject_body(
        ServerExchange& exchange, int status, std::string_view code, std::string_view why
    );
    bool read_body();
    bool read_chunks();
    bool deliver(std::string_view bytes);
    void complete_body();
    void abort_body();
    bool skip_body();
    void refuse(int status, std::string_view code, std::string_view why);
    void input_ended();
    ServerExchange& open_exchange(RequestHead head);
    void next_request();

    // server_answers.cpp: from answers to bytes.
    bool write_answers();
    void write_whole(ServerExchange& exchange);
    void replace_unsendable(ServerExchange& exchange);
    bool write_stream(ServerExchange& exchange);
    void write_stream_head(ServerExchange& exchange);
    void write_pieces(ServerExchange& exchange, std::string bytes);
    void finish_answer(ServerExchange& exchange, bool closes);
    bool closes_behind(const ServerExchange& exchange) const;

    std::size_t input_size() const { return in_end_ - in_begin_; }
    char* input() { return in_.get() + in_begin_; }
    void take_input(std::size_t bytes);
    const ServerOptions& options() const { return shared_.options; }

    Shard& shard_;
    ServerShared& shared_;
    boost::asio::posix::stream_descriptor descriptor_;
    std::unique_ptr<ServerSocket> socket_;
    const Peer peer_;
    const std::shared_ptr<ConnectionTable::Entry> entry_;

    std::unique_ptr<char[]> in_;
    std::size_t in_capacity_ = 0;
    std::size_t in_begin_ = 0;
    std::size_t in_end_ = 0;
    Input input_ = Input::head;
    HeadReader reader_;
    Framing framing_ = Framing::none;      ///< of the request that is being read
    bool last_request_ = false;            ///< no other comes behind it
    ServerExchange* receiving_ = nullptr;  ///< whose body it is
    std::optional<ChunkReader> chunks_;
    std::uint64_t body_left_ = 0;   ///< Framing::length
    std::uint64_t body_bytes_ = 0;  ///< received, without framing
    bool body_paused_ = false;
    bool continue_due_ = false;  ///< the sink of the body says when

    OutBuffer out_;
    std::uint64_t queued_ = 0;            ///< bytes ever put into out_
    std::uint64_t sent_ = 0;              ///< bytes ever handed to the system
    std::vector<ServerExchange*> slots_;  ///< in the order of the requests
    std::size_t written_ = 0;             ///< how many of them are wholly in out_
    std::size_t open_ = 0;                ///< how many of them have no complete answer
    std::size_t open_unsafe_ = 0;

    TimePoint now_{};
    TimePoint item_began_{};  ///< head, body or pause between requests, whichever it is
    TimePoint first_byte_{};  ///< of the request that is being read
    TimePoint last_input_{};
    TimePoint last_until_ = TimePoint::max();    ///< draining: how long one more request may take
    TimePoint suspended_at_ = TimePoint::max();  ///< since when we do not want input
    TimePoint stall_limit_ = TimePoint::max();
    std::uint64_t stall_mark_ = 0;  ///< of sent_, when stall_limit_ was set
    TimePoint linger_until_ = TimePoint::max();
    TimePoint timer_at_ = TimePoint::max();
    Executor::TimerId timer_ = 0;

    bool closed_ = false;
    bool closing_ = false;    ///< nothing is put into out_ any more; closes when it is empty
    bool lingering_ = false;  ///< all is sent; what still comes in is dropped
    bool must_linger_ = false;
    bool peer_ended_ = false;  ///< end of file from the other side
    bool read_armed_ = false;
    bool write_armed_ = false;
    bool pumping_ = false;
    bool again_ = false;
    bool cut_asked_ = false;  ///< by a callback within pump()
    CancelReason cut_reason_ = CancelReason::user;
    std::size_t dropped_ = 0;  ///< bytes behind the last request
    bool served_ = false;      ///< had a request
    bool turned_away_ = false;
};

}  // namespace lab::http
