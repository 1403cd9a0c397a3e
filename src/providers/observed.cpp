#include "providers/observed.h"

#include "providers/impl/call_span.h"

namespace lab::providers {
namespace {

class ObservedProvider final : public Provider {
  public:
    ObservedProvider(
        std::unique_ptr<Provider> provider,
        const domain::ModelSpec& model,
        std::optional<domain::Pricing> pricing,
        CallObserver& observer
    )
        : provider_(std::move(provider)),
          about_(std::make_shared<About>(model.provider, model.model, std::move(pricing), &observer)
          ) {}

    CallId start(CallRequest request, CallDone done) override {
        Span span = begin_call_span(about_->provider, about_->model, request, endpoint());
        const SpanScope scope(span);  // the request says whose it is
        return provider_->start(
            std::move(request),
            [about = about_, span = std::move(span), done = std::move(done)](CallResult result
            ) mutable {
                const std::optional<Money> cost = about->tell(result);
                end_call_span(std::move(span), result, cost);
                done(std::move(result));
            }
        );
    }
    void cancel(CallId id) override { provider_->cancel(id); }
    bool is_replay() const override { return provider_->is_replay(); }
    const std::string& endpoint() const override { return provider_->endpoint(); }
    domain::Usage worst_case(const CallRequest& request) const override {
        return provider_->worst_case(request);
    }

  private:
    /// Kept by the calls under way: they may end after the provider has gone.
    struct About {
        std::string provider;
        std::string model;
        std::optional<domain::Pricing> pricing;
        CallObserver* observer;

        std::optional<Money> tell(const CallResult& result) const {
            std::optional<Money> cost;
            if (result.outcome == Outcome::ok && pricing) {
                cost = domain::cost_of(result.usage, *pricing);
            }
            observer->on_call({.provider = provider, .model = model, .result = result, .cost = cost}
            );
            return cost;
        }
    };

    std::unique_ptr<Provider> provider_;
    std::shared_ptr<const About> about_;
};

}  // namespace

std::unique_ptr<Provider> observe_provider(
    std::unique_ptr<Provider> provider,
    const domain::ModelSpec& model,
    std::optional<domain::Pricing> pricing,
    CallObserver& observer
) {
    if (provider->is_replay()) {
        return provider;
    }
    return std::make_unique<ObservedProvider>(
        std::move(provider), model, std::move(pricing), observer
    );
}

std::string_view to_string(Outcome outcome) {
    switch (outcome) {
        case Outcome::ok:
            return "ok";
        case Outcome::rate_limited:
            return "rate_limited";
        case Outcome::overloaded:
            return "overloaded";
        case Outcome::network:
            return "network";
        case Outcome::refused:
            return "refused";
        case Outcome::nonsense:
            return "nonsense";
        case Outcome::cancelled:
            break;
    }
    return "cancelled";
}

}  // namespace lab::providers
