#pragma once
#include "platform/aws/credential_chain.h"

namespace lab::aws {

/// The text of a small file. Errors: unavailable, naming `what` and not the path's content.
Result<std::string> read_small_file(const std::string& path, std::string_view what);

/// A profile of a shared credentials file; nullopt when it is not in there. Errors: unavailable
/// when the profile is there and gets its credentials in a way that is not supported.
Result<std::optional<Credentials>> read_profile(std::string_view text, std::string_view profile);

/// What a pod's service account stands for (IRSA).
struct WebIdentity {
    std::string token_file;
    std::string role_arn;
    std::string session_name;
    std::string endpoint;  ///< of STS
};
/// "https://sts.REGION.amazonaws.com", in China with its own ending.
std::string sts_endpoint(std::string_view region);
/// Errors: unavailable.
Result<Found> assume_role(const Ctx& ctx, http::BlockingClient& http, const WebIdentity& identity);

/// The agent beside a container or pod.
struct ContainerRole {
    std::string url;
    std::string token;
    std::string token_file;  ///< wins over `token`
};
/// Errors: unavailable.
Result<Found> ask_container(
    const Ctx& ctx, http::BlockingClient& direct, const ContainerRole& role
);

Error no_credentials(std::string words, std::string cause = {});

}  // namespace lab::aws
