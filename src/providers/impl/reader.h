#pragma once
#include "platform/http/sse.h"
#include "providers/codec.h"
#include "providers/impl/answer.h"

namespace lab::providers {

/// An event of a stream; views live until the next is asked for.
struct StreamEvent {
    std::string_view type;
    std::string_view data;
};

/// What readers of all protocols share: errors by status, event streams or whole bodies (the
/// response says which it is, whatever was asked for), sizes, and the judgement in the end.
class BaseReader : public ResponseReader {
  public:
    /// `endpoint` outlives the reader.
    BaseReader(const Endpoint& endpoint, const CallRequest& request);
    void on_head(int status, const http::Headers& headers) final;
    bool on_data(std::string_view bytes) final;
    bool has_content() const final { return !answer_.output.empty() || !answer_.refusal.empty(); }
    CallResult finish(const http::TransferEnd& end) final;

  protected:
    /// One event of a stream into answer_; false when it cannot be read.
    virtual bool read_event(std::string_view type, std::string_view data) = 0;
    /// A whole body into answer_; false when it is not of this protocol.
    virtual bool read_body(std::string_view body) = 0;
    virtual bool cached_inside() const = 0;
    virtual bool reasoning_inside() const = 0;
    virtual void see_head(const http::Headers&) {}
    /// An error that came with its status, before it is judged.
    virtual void refine_error(ApiError&) const {}
    // How a stream is cut into events: by the rules of server-sent events where nothing else is
    // said.
    virtual void feed_events(std::string_view bytes) { events_.feed(bytes); }
    virtual std::optional<StreamEvent> next_event();
    /// Nothing more can be read of the stream.
    virtual bool are_events_broken() const { return false; }

    Answer answer_;

  private:
    bool take_events(std::string_view bytes);
    bool success() const { return status_ >= 200 && status_ < 300; }
    void judge(CallResult& result, const http::TransferEnd& end);
    void judge_stream(CallResult& result, const http::TransferEnd& end);
    void judge_body(CallResult& result, const http::TransferEnd& end);
    void read_error_body(CallResult& result);
    void accept(CallResult& result);

    /// Without the key: a server may echo it, and a message must not be cut inside it.
    std::string clean(std::string_view text) const;
    void clean(ApiError& error) const;

    const Endpoint& endpoint_;
    std::size_t input_bytes_;
    bool asked_for_stream_;
    int status_ = 0;
    bool streaming_ = false;
    bool damaged_ = false;  ///< an event could not be read: part of the answer may be missing
    bool too_large_ = false;
    http::SseParser events_;
    std::string body_;  ///< of a stream: its beginning, for messages
};

/// `text` with "[key]" wherever `key` stands.
std::string redact_key(std::string text, std::string_view key);

/// stop, length, content_filter, tool_calls or other.
std::string_view normalise_finish_reason(std::string_view reason);

}  // namespace lab::providers
