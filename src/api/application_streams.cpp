// Answers and bodies that are never whole in memory.
#include "api/application.h"
#include "api/impl/visit.h"

#include <nlohmann/json.hpp>

#include <mutex>

namespace lab::api {

/// An answer of many pieces on its way. The write that waits for the client holds it; when nothing
/// does any more, the exchange goes with it.
class Application::PieceSender : public std::enable_shared_from_this<PieceSender> {
  public:
    PieceSender(
        Application& application,
        std::shared_ptr<http::Exchange> exchange,
        std::shared_ptr<Visit> visit,
        Reply reply,
        http::Headers headers
    )
        : application_(application),
          exchange_(std::move(exchange)),
          visit_(std::move(visit)),
          reply_(std::move(reply)),
          headers_(std::move(headers)) {}

    /// On a pool thread.
    void go_on() {
        for (int piece = 0; piece < kPiecesAtOnce; ++piece) {
            auto text = next();
            if (!text) {
                fail(text.error());
                return;
            }
            if (!begun_) {
                begun_ = true;
                exchange_->begin_stream(reply_.status, std::move(headers_));
            }
            if (text->empty()) {
                exchange_->end_stream();
                return;
            }
            const auto sending = exchange_->write(*std::move(text), [self = shared_from_this()] {
                self->come_back();
            });
            if (sending == http::Sending::closed) {
                exchange_->end_stream();  // it was HEAD, or there is nobody any more
                return;
            }
            if (sending == http::Sending::wait) {
                return;
            }
        }
        come_back();  // others wait for this thread, too
    }

  private:
    static constexpr int kPiecesAtOnce = 8;

    void come_back() {
        // Where there is no room any more, the answer is cut off: its reader sees that.
        static_cast<void>(application_.deps_.pool->submit(
            WorkPool::Priority::background, [self = shared_from_this()] { self->go_on(); }
        ));
    }

    Result<std::string> next() {
        const SpanScope scope(visit_->place);
        const ApplicationDeps& deps = application_.deps_;
        const Ctx ctx =
            Ctx(*deps.clock, exchange_->cancelled()).within(application_.options_.request_timeout);
        try {
            LAB_TRY(const auto session, deps.sessions->acquire(ctx));
            const service::Request request{ctx, *deps.service, *session, visit_->caller};
            LAB_TRY(auto values, parse_query(exchange_->head().query));
            Call call(exchange_->head(), visit_->match.path_values, &request, Json());
            call.query_values = std::move(values);
            return reply_.pieces(call);
        } catch (const std::exception& error) {
            Error bug(Code::internal, "");
            bug.cause = error.what();
            return bug;
        }
    }

    void fail(const Error& error) {
        visit_->set_cause(error.cause.empty() ? error.message : error.cause);
        if (!begun_) {
            exchange_->respond(application_.answer_error(*visit_, error));
        }
    }

    Application& application_;
    std::shared_ptr<http::Exchange> exchange_;
    std::shared_ptr<Visit> visit_;
    Reply reply_;
    http::Headers headers_;
    bool begun_ = false;
};

void Application::send_pieces(
    const std::shared_ptr<http::Exchange>& exchange,
    const std::shared_ptr<Visit>& visit,
    Reply reply
) {
    http::Headers headers = std::move(reply.headers);
    add_stream_headers(*visit, headers);
    std::make_shared<PieceSender>(*this, exchange, visit, std::move(reply), std::move(headers))
        ->go_on();
}

/// A body on its way in. The I/O thread collects what comes; a pool thread asks who sends it and
/// whether they may, then writes it away. More than kBytesMax is never held.
class Application::UploadSink final : public http::BodySink,
                                      public std::enable_shared_from_this<UploadSink> {
  public:
    UploadSink(Application& application, const Route& route)
        : application_(application), route_(route) {}

    void on_begin(std::shared_ptr<http::Exchange> exchange) override {
        auto match = application_.router_.find(exchange->head().method, exchange->head().path);
        LAB_ASSERT(match && match->route == &route_, "a body is planned for its own route");
        bool going = true;
        {
            const std::scoped_lock lock(mutex_);
            visit_ = application_.begin_visit(exchange->head());
            exchange->set_context(visit_);
            visit_->match = *std::move(match);
            application_.begin_span(*visit_, exchange->head());
            exchange_ = std::move(exchange);
            going = wake();
        }
        refuse_unless(going);
    }

    Flow on_bytes(std::string_view bytes) override {
        bool going = true;
        bool pause = false;
        {
            const std::scoped_lock lock(mutex_);
            if (over_) {
                return Flow::more;
            }
            buffer_ += bytes;
            going = wake();
            paused_ = pause = going && buffer_.size() >= kBytesMax;
        }
        refuse_unless(going);
        return pause ? Flow::pause : Flow::more;
    }

    void on_complete() override {
        bool going = true;
        {
            const std::scoped_lock lock(mutex_);
            complete_ = true;
            going = wake();
        }
        refuse_unless(going);
    }

    void on_abort() override {
        const std::scoped_lock lock(mutex_);
        over_ = true;
        if (!busy_) {
            let_go();
        }
    }

  private:
    static constexpr std::size_t kBytesMax = 512U << 10;

    /// Has a pool thread come; false: there is no room for that, and nothing is taken any more.
    bool wake() {
        if (!busy_ && !over_) {
            const ApplicationDeps& deps = application_.deps_;
            const bool room = open_ || deps.admission->admits(route_.priority);
            busy_ = room &&
                    deps.pool->submit(pool_priority(route_.priority), [self = shared_from_this()] {
                        self->work();
                    });
            over_ = !busy_;
            return busy_;
        }
        return true;
    }

    /// Without the lock: an answer may end the body at once.
    void refuse_unless(bool going) {
        if (!going) {
            exchange_->respond(application_.overloaded(*visit_));
            const std::scoped_lock lock(mutex_);
            let_go();
        }
    }

    /// What is held by this goes; nothing calls it any more.
    void let_go() {
        if (exchange_) {
            exchange_.reset();
            visit_->writer.reset();
            buffer_.clear();
        }
    }

    void work() {
        if (!open_) {
            application_.handle(exchange_, visit_);
            open_ = visit_->writer != nullptr;
            if (open_) {
                exchange_->resume_body();
            }
        }
        bool going = open_;
        while (going) {
            going = write_some();
        }
        going = true;
        {
            const std::scoped_lock lock(mutex_);
            busy_ = false;
            over_ = over_ || !open_;
            if (over_) {
                let_go();
            } else if (!buffer_.empty() || complete_) {
                going = wake();  // it came while the thread was leaving
            }
        }
        refuse_unless(going);
    }

    /// false: there is nothing to do for now, or for ever.
    bool write_some() {
        std::string piece;
        bool resume = false;
        {
            const std::scoped_lock lock(mutex_);
            piece.swap(buffer_);
            if (over_ || (piece.empty() && !complete_)) {
                return false;
            }
            resume = std::exchange(paused_, false);
            over_ = piece.empty();
        }
        if (piece.empty()) {
            application_.handle(exchange_, visit_);
            return false;
        }
        if (auto& hash = visit_->body_hash; hash) {
            hash->update(piece);
        }
        const SpanScope scope(visit_->place);
        const Status written = visit_->writer->write(piece);
        if (!written) {
            visit_->set_cause(written.error().cause);
            exchange_->respond(application_.answer_error(*visit_, written.error()));
            const std::scoped_lock lock(mutex_);
            over_ = true;
            return false;
        }
        if (resume) {
            exchange_->resume_body();
        }
        return true;
    }

    Application& application_;
    const Route& route_;
    std::mutex mutex_;
    std::shared_ptr<http::Exchange> exchange_;
    std::shared_ptr<Visit> visit_;
    std::string buffer_;
    bool open_ = false;  ///< of the thread that works
    bool busy_ = false;  ///< a pool thread has it
    bool paused_ = false;
    bool complete_ = false;
    bool over_ = false;  ///< nothing is taken any more
};

http::BodyPlan Application::stream_plan(const Route& route) {
    http::BodyPlan plan;
    plan.kind = http::BodyPlan::Kind::stream;
    plan.bytes_max = body_bytes_max(route);
    plan.sink = std::make_shared<UploadSink>(*this, route);
    plan.continues_later = true;  // when it is known who sends, and that they may
    return plan;
}

}  // namespace lab::api
