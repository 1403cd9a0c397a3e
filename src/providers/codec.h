#pragma once
#include "platform/http/client.h"
#include "providers/provider.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace lab::providers {

/// Takes the bytes of one response as they come and says in the end what they mean. Does no I/O and
/// asks no clock. Not shared between threads.
class ResponseReader {
  public:
    virtual ~ResponseReader() = default;
    virtual void on_head(int status, const http::Headers& headers) = 0;
    /// false: the answer is already too large to be one.
    virtual bool on_data(std::string_view bytes) = 0;
    /// The model has begun to answer: the first piece of its visible output is there.
    virtual bool has_content() const = 0;
    /// Everything but latency, hints and request_id is filled in. Call once.
    virtual CallResult finish(const http::TransferEnd& end) = 0;
};

/// One protocol towards one endpoint: from a question to a request, from response bytes to an
/// answer. Pure; the same request gives the same bytes. Any thread, outlives its readers.
class Codec {
  public:
    virtual ~Codec() = default;
    virtual http::Request encode(const CallRequest& request) const = 0;
    virtual std::unique_ptr<ResponseReader> make_reader(const CallRequest& request) const = 0;
    /// See Provider::endpoint.
    virtual const std::string& endpoint() const = 0;
    /// See Provider::worst_case.
    virtual domain::Usage worst_case(const CallRequest& request) const = 0;
    /// `text` without the key, wherever a server has echoed it.
    virtual std::string redact(std::string text) const = 0;
};

/// Where a codec talks to and as whom; made by the factory from a ModelSpec and its preset.
struct Endpoint {
    std::string provider;  ///< for messages
    std::string base_url;  ///< without a slash at the end
    std::string query;     ///< of the base_url, without "?"
    std::string model;
    std::string api = "chat";            ///< chat or completions
    std::string key;                     ///< empty = none is sent
    http::Headers headers;               ///< of the user
    std::int64_t output_tokens_max = 0;  ///< what the model can write at most; 0 = unknown
    // What servers of the OpenAI protocol do differently:
    bool stream_options = true;  ///< takes {"include_usage": true}
    std::string seed_name = "seed";
    bool azure = false;
};

std::unique_ptr<Codec> make_openai_codec(Endpoint endpoint);
std::unique_ptr<Codec> make_anthropic_codec(Endpoint endpoint);
std::unique_ptr<Codec> make_google_codec(Endpoint endpoint);
std::unique_ptr<Codec> make_bedrock_codec(Endpoint endpoint);

}  // namespace lab::providers
