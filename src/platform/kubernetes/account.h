#pragma once
#include "base/result.h"

#include <string>

namespace lab::kubernetes {

/// The service account of a pod as the kubelet mounts it: the files token, ca.crt and namespace.
class Account {
  public:
    explicit Account(std::string folder) : folder_(std::move(folder)) {}

    /// Read anew each time, since the kubelet rotates it. Errors: not_found when there is none or
    /// it is no token, with the file that was looked at.
    Result<std::string> token() const;
    /// Of the pod. Errors: as above.
    Result<std::string> pod_namespace() const;
    /// Errors: not_found when it cannot be read.
    Result<std::string> authority_file() const;

  private:
    std::string folder_;
};

/// "https://HOST:PORT", of KUBERNETES_SERVICE_HOST, which may be an IPv6 address.
std::string api_server_url(const std::string& host, std::int64_t port);

}  // namespace lab::kubernetes
