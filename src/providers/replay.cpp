#include "providers/replay.h"

#include "base/text.h"
#include "providers/impl/replay_index.h"
#include "providers/impl/tokens.h"

namespace lab::providers {
namespace {

class ReplayProvider final : public Provider {
  public:
    ReplayProvider(const std::string& model_id, ReplayIndex index)
        : endpoint_("replay:" + model_id), index_(std::move(index)) {}

    CallId start(CallRequest request, CallDone done) override {
        done(answer(request));
        return ++last_call_;
    }
    void cancel(CallId) override {}
    bool is_replay() const override { return true; }
    const std::string& endpoint() const override { return endpoint_; }
    domain::Usage worst_case(const CallRequest&) const override { return {}; }

  private:
    static CallResult refused(Error error) {
        CallResult result;
        result.replayed = true;
        result.outcome = Outcome::refused;
        result.error = std::move(error);
        return result;
    }

    CallResult answer(const CallRequest& request) {
        auto found = index_.find(request.item_id);
        if (!found) {
            return refused(std::move(found.error()));
        }
        std::optional<ReplayRow>& row = *found;
        if (!row) {
            return refused(Error(
                Code::not_found,
                "no recorded output for the item \"" +
                    shorten(sanitize_utf8(request.item_id), 100) + "\""
            ));
        }
        if (!row->output) {
            return refused(Error(Code::upstream_error, "recorded as having no output"));
        }
        CallResult result;
        result.replayed = true;
        result.output =
            is_utf8(*row->output) ? std::move(*row->output) : sanitize_utf8(*row->output);
        result.finish_reason = std::move(row->finish_reason);
        result.latency = row->latency.value_or(Duration::zero());
        result.usage = row->usage.value_or(domain::Usage{
            .input = estimate_tokens(input_bytes(request)),
            .output = estimate_tokens(result.output.size()),
            .estimated = true
        });
        return result;
    }

    std::string endpoint_;
    ReplayIndex index_;
    CallId last_call_ = 0;
};

}  // namespace

Result<std::unique_ptr<Provider>> make_replay_provider(const domain::ModelSpec& model) {
    LAB_ASSERT(model.replay.has_value(), "a replayed model names its records");
    LAB_TRY(ReplayIndex index, ReplayIndex::open(*model.replay));
    return std::make_unique<ReplayProvider>(model.id, std::move(index));
}

}  // namespace lab::providers
