#pragma once
#include "providers/codec.h"

namespace lab::providers {

/// What the codecs share: the endpoint, the key, the frame of a request.
class BaseCodec : public Codec {
  public:
    const std::string& endpoint() const final { return shown_; }
    std::string redact(std::string text) const final;
    domain::Usage worst_case(const CallRequest& request) const override;

  protected:
    /// `url`: without a query, for people and cache keys.
    BaseCodec(Endpoint endpoint, std::string url, http::Headers own_headers);
    http::Request make_request(const CallRequest& request, std::string url, std::string body) const;
    /// The names under which a request limits the output, the first that is given counts.
    virtual std::optional<std::int64_t> output_tokens_asked(const CallRequest& request) const = 0;

    Endpoint endpoint_;

  private:
    std::string shown_;
    http::Headers headers_;
};

/// Room for the texts of a request and what is around them.
std::size_t body_bytes_estimate(const CallRequest& request);

}  // namespace lab::providers
