#include "providers/http_provider.h"

#include "base/text.h"
#include "platform/telemetry/span.h"
#include "providers/impl/hints.h"

namespace lab::providers {
namespace {

class HttpCall final : public http::ResponseSink {
  public:
    HttpCall(
        std::shared_ptr<const Codec> codec,
        const Clock& clock,
        const CallRequest& request,
        CallDone done,
        std::shared_ptr<RequestSigner> signer
    )
        : codec_(std::move(codec)),
          clock_(clock),
          signer_(std::move(signer)),
          reader_(codec_->make_reader(request)),
          done_(std::move(done)),
          stream_(request.stream),
          started_(clock.now()) {}

    void on_head(int status, const http::Headers& headers) override {
        hints_ = read_hints(headers, clock_.wall());
        request_id_ = find_request_id(headers);
        reader_->on_head(status, headers);
    }

    bool on_data(std::string_view bytes) override {
        const bool more = reader_->on_data(bytes);
        if (stream_ && !first_token_ && reader_->has_content()) {
            first_token_ = clock_.now() - started_;
        }
        return more;
    }

    void on_end(const http::TransferEnd& end) override {
        CallResult result = reader_->finish(end);
        reader_.reset();
        result.latency = clock_.now() - started_;
        result.time_to_first_token = first_token_;
        const std::optional<Duration> said_in_body = result.hints.retry_after;
        result.hints = hints_;
        if (!result.hints.retry_after) {
            result.hints.retry_after = said_in_body;
        }
        result.request_id = sanitize_utf8(codec_->redact(std::move(request_id_)));
        result.unreachable =
            result.outcome == Outcome::network && end.failure == http::TransferFailure::connect;
        // Credentials that are not allowed to do it are refused; that others will do is said so.
        if (signer_ && result.http_status == 403 && result.outcome == Outcome::overloaded) {
            signer_->refused();
        }
        if (result.outcome != Outcome::ok) {
            result.error.message = codec_->redact(std::move(result.error.message));
        }
        done_(std::move(result));
    }

  private:
    std::shared_ptr<const Codec> codec_;
    const Clock& clock_;
    std::shared_ptr<RequestSigner> signer_;
    std::unique_ptr<ResponseReader> reader_;
    CallDone done_;
    bool stream_;
    TimePoint started_;
    std::optional<Duration> first_token_;
    RateHints hints_;
    std::string request_id_;
};

class HttpProvider final : public Provider {
  public:
    HttpProvider(
        std::shared_ptr<const Codec> codec,
        http::Client& http,
        const Clock& clock,
        std::shared_ptr<RequestSigner> signer
    )
        : codec_(std::move(codec)), http_(http), clock_(clock), signer_(std::move(signer)) {}

    CallId start(CallRequest request, CallDone done) override {
        http::Request encoded = codec_->encode(request);
        if (const TraceContext trace = context_of(current_place()); !trace.trace_id.empty()) {
            encoded.headers.emplace_back("traceparent", format_traceparent(trace));
            if (!trace.trace_state.empty()) {
                encoded.headers.emplace_back("tracestate", trace.trace_state);
            }
        }
        if (signer_) {
            if (Status signed_now = signer_->sign(encoded); !signed_now) {
                CallResult result;
                result.outcome = Outcome::network;
                result.error = std::move(signed_now).error();
                result.counts_for_breaker = true;
                result.unreachable = true;
                done(std::move(result));
                return 0;
            }
        }
        auto call = std::make_shared<HttpCall>(codec_, clock_, request, std::move(done), signer_);
        return http_.start(std::move(encoded), std::move(call));
    }
    void cancel(CallId id) override { http_.cancel(id); }
    const std::string& endpoint() const override { return codec_->endpoint(); }
    domain::Usage worst_case(const CallRequest& request) const override {
        return codec_->worst_case(request);
    }

  private:
    std::shared_ptr<const Codec> codec_;
    http::Client& http_;
    const Clock& clock_;
    std::shared_ptr<RequestSigner> signer_;
};

}  // namespace

std::unique_ptr<Provider> make_http_provider(
    std::shared_ptr<const Codec> codec,
    http::Client& http,
    const Clock& clock,
    std::shared_ptr<RequestSigner> signer
) {
    return std::make_unique<HttpProvider>(std::move(codec), http, clock, std::move(signer));
}

}  // namespace lab::providers
