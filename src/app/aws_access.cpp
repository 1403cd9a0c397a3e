#include "app/aws_access.h"

#include "app/wire.h"
#include "platform/aws/credential_chain.h"
#include "platform/crypto/sha256.h"
#include "platform/process/worker.h"
#include "providers/http_provider.h"

#include <atomic>

namespace lab::app {
namespace {

constexpr Duration kFirstWait = std::chrono::seconds(10);
/// How often the chain is asked whether there are newer ones; it answers at once as long as those
/// it has are good.
constexpr Duration kLookAgain = std::chrono::seconds(20);

}  // namespace

/// The last credentials, and a thread that looks for newer ones.
struct AwsAccess::Credentials {
    Credentials(const Clock& clock_, providers::EnvLookup environment)
        : clock(clock_),
          http(clock, {.user_agent = "llm-research/" + std::string(version())}, 2),
          chain(
              clock,
              http,
              {.environment = environment, .home_folder = environment("HOME").value_or("")}
          ) {}

    /// Whoever fetches gives up.
    ~Credentials() { end.cancel(CancelReason::shutdown); }
    Credentials(const Credentials&) = delete;
    Credentials& operator=(const Credentials&) = delete;

    Result<aws::Credentials> take(Duration wait) {
        auto got = chain.get(Ctx(clock, end).within(wait));
        const std::scoped_lock lock(mutex);
        look_at = clock.now() + kLookAgain;
        if (got) {
            last = *got;
        }
        return got;
    }

    /// Never waits.
    Result<aws::Credentials> at_hand() {
        {
            const std::scoped_lock lock(mutex);
            const std::optional<aws::Credentials>& known = last;
            if (known && clock.now() < look_at) {
                return *known;
            }
        }
        look();
        const std::scoped_lock lock(mutex);
        const std::optional<aws::Credentials>& known = last;
        return known ? Result<aws::Credentials>(*known)
                     : Error(Code::unavailable, "there are no credentials for AWS at the moment");
    }

    void look() {
        if (!looking.exchange(true)) {
            worker.submit([this] {
                static_cast<void>(take(kFirstWait));
                looking = false;
            });
        }
    }

    /// They may have ended: others are looked for, and until then there are these.
    void refused() {
        {
            const std::scoped_lock lock(mutex);
            if (const std::optional<aws::Credentials>& known = last) {
                chain.forget(*known);
            }
        }
        look();
    }

    const Clock& clock;
    http::BlockingClient http;
    aws::CredentialChain chain;
    std::mutex mutex;
    std::optional<aws::Credentials> last;
    TimePoint look_at = TimePoint::min();
    std::atomic<bool> looking = false;
    CancelToken end;
    ThreadWorker worker;  ///< ends before what it uses
};

class AwsAccess::Signer final : public providers::RequestSigner {
  public:
    Signer(std::shared_ptr<Credentials> credentials, aws::SigningScope scope)
        : credentials_(std::move(credentials)), scope_(std::move(scope)) {}

    Status sign(http::Request& request) override {
        LAB_TRY(const aws::Credentials now, credentials_->at_hand());
        aws::sign(request, scope_, now, credentials_->clock.wall(), sha256_hex(request.body));
        return ok();
    }
    void refused() override { credentials_->refused(); }

  private:
    std::shared_ptr<Credentials> credentials_;
    aws::SigningScope scope_;
};

AwsAccess::AwsAccess(const Clock& clock, providers::EnvLookup environment)
    : credentials_(std::make_shared<Credentials>(clock, std::move(environment))) {}

AwsAccess::~AwsAccess() = default;

Result<std::shared_ptr<providers::RequestSigner>> AwsAccess::signer(
    const std::string& region, const std::string& service
) {
    LAB_CHECK(credentials_->take(kFirstWait));
    return std::make_shared<Signer>(credentials_, aws::SigningScope{region, service});
}

}  // namespace lab::app
