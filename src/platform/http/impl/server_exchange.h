#pragma once
#include "platform/http/impl/server_output.h"
#include "platform/http/impl/server_shard.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>

namespace lab::http {

class Connection;

/// What the application holds of a request, and its place in the connection's queue of answers.
/// Held by two: the application through handle(), the connection through its queue. It is deleted
/// when both have let go; always on the loop's thread, unless the loop is gone.
class ServerExchange final : public Exchange, public std::enable_shared_from_this<ServerExchange> {
  public:
    enum class State : std::uint8_t {
        open,       ///< no answer yet
        whole,      ///< a Response
        streaming,  ///< a head; bytes follow
        written,    ///< all of it is with the connection's buffer
    };

    ServerExchange(std::shared_ptr<Shard> shard, Connection& connection, RequestHead head);
    ~ServerExchange() override;

    // Exchange; any thread.
    const RequestHead& head() const override { return head_; }
    const std::string& body() const override { return body_; }
    std::string take_body() override;
    void respond(Response response) override;
    void begin_stream(int status, Headers headers) override;
    Sending write(std::string bytes, std::function<void()> drained) override;
    void end_stream() override;
    void resume_body() override;
    CancelToken cancelled() override;
    void on_cancel(std::function<void()> gone) override;
    void set_context(std::shared_ptr<void> context) override;

    // For the connection, on the loop's thread.

    /// For the application; once.
    std::shared_ptr<ServerExchange> handle();
    /// The listener's own answer. False when there is one already.
    bool answer(Response response);
    /// False when a buffered body may not grow by so much.
    bool append_body(std::string_view bytes);
    bool is_answered() const { return answered_.load(std::memory_order_relaxed); }
    struct Written {
        std::string bytes;        ///< since the last call
        bool ended = false;       ///< there will be no more
        bool overflowed = false;  ///< somebody went on writing without waiting
    };
    Written take_written();
    /// `unsent` bytes are still with the connection.
    void note_unsent(std::size_t unsent);
    /// Nobody will read the answer.
    void mark_gone(CancelReason reason);
    /// The connection lets go.
    void let_go();
    std::shared_ptr<void> context();

    State state = State::open;
    Response response;  ///< of State::whole; status and headers of State::streaming
    bool has_head = true;
    bool is_head_method = false;
    bool is_safe = true;  ///< and has no body: may be worked on beside others (RFC 9112, 9.3.2)
    bool keep_alive = true;
    bool head_written = false;         ///< of a stream
    BodyEnd body_end = BodyEnd::none;  ///< of a stream
    std::uint64_t length_left = 0;     ///< of a stream with BodyEnd::length
    std::uint64_t bytes_in = 0;
    std::uint64_t out_begin = 0;  ///< in the connection's output
    std::uint64_t out_end = 0;    ///< State::written
    std::shared_ptr<BodySink> sink;
    std::size_t body_bytes_max = 0;

  private:
    struct Release {
        void operator()(ServerExchange* exchange) const;
    };
    void run_on_loop(Executor::Work work);
    void released();
    void progress();

    const std::shared_ptr<Shard> shard_;
    Connection* connection_;  ///< loop thread; null once the connection has let go
    const RequestHead head_;
    std::string body_;
    std::size_t body_counted_ = 0;  ///< of ServerShared::body_bytes
    bool held_by_application_ = false;
    std::atomic<bool> answered_{false};

    std::mutex mutex_;  ///< for what follows
    std::string written_;
    std::size_t unsent_ = 0;
    std::function<void()> drained_;
    std::function<void()> gone_callback_;
    std::optional<CancelToken> token_;
    std::shared_ptr<void> context_;
    CancelReason gone_ = CancelReason::none;
    bool begun_ = false;
    bool discards_ = false;  ///< HEAD, 204, 304: the body is not sent
    bool ended_ = false;
    bool overflowed_ = false;
    bool scheduled_ = false;  ///< progress() is on its way
};

}  // namespace lab::http
