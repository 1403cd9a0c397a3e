#pragma once
#include "base/clock.h"
#include "providers/factory.h"

#include <memory>

namespace lab::app {

/// Signs calls of models with the credentials of the process's environment, profiles and roles
/// (aws::CredentialChain). Made when a model first needs it. Any thread.
class AwsAccess {
  public:
    /// `clock` outlives it and its signers.
    AwsAccess(const Clock& clock, providers::EnvLookup environment);
    ~AwsAccess();
    AwsAccess(const AwsAccess&) = delete;
    AwsAccess& operator=(const AwsAccess&) = delete;

    /// Waits for the first credentials, some seconds at most; later ones are fetched beside the
    /// calls, which go on with those that there are. Errors: unavailable.
    Result<std::shared_ptr<providers::RequestSigner>> signer(
        const std::string& region, const std::string& service
    );

  private:
    struct Credentials;
    class Signer;
    std::shared_ptr<Credentials> credentials_;
};

}  // namespace lab::app
