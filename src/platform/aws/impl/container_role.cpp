#include "base/text.h"
#include "base/time_text.h"
#include "platform/aws/impl/sources.h"
#include "platform/http/url_guard.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace lab::aws {
namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(2);
constexpr std::size_t kAnswerBytesMax = 256U << 10;
/// Agents of ECS, and of EKS by both kinds of address.
constexpr std::array<std::string_view, 3> kAgents = {
    "169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"
};

/// To whom the token may go: anybody over TLS, else this machine and Amazon's agents.
Status check_url(const std::string& url) {
    const auto parsed = http::parse_outbound_url(url);
    if (!parsed) {
        return no_credentials(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI is no address: it looks like "
            "http://169.254.170.23/v1/credentials"
        );
    }
    const bool is_loopback = parsed->host == "localhost" || parsed->host == "[::1]" ||
                             (parsed->address.size() == 4 && parsed->address[0] == 127);
    if (parsed->tls || is_loopback || std::ranges::find(kAgents, parsed->host) != kAgents.end()) {
        return ok();
    }
    return no_credentials(
        "AWS_CONTAINER_CREDENTIALS_FULL_URI must be https, a loopback address or one of Amazon's "
        "agents: 169.254.170.2, 169.254.170.23, [fd00:ec2::23]"
    );
}

std::string member(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

Result<Found> ask_container(
    const Ctx& ctx, http::BlockingClient& direct, const ContainerRole& role
) {
    LAB_CHECK(check_url(role.url));
    http::Request request;
    request.method = "GET";
    request.url = role.url;
    request.headers = {{"Accept", "application/json"}};
    std::string token = role.token;
    if (!role.token_file.empty()) {
        LAB_TRY(token, read_small_file(role.token_file, "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"));
        token = trim_ascii(token);
    }
    if (!std::ranges::all_of(token, [](char c) { return c > 0x1f && c < 0x7f; })) {
        return no_credentials("the token for the container's credentials is no header text");
    }
    if (!token.empty()) {
        request.headers.emplace_back("Authorization", token);
    }
    request.connect_timeout = kConnectTimeout;
    request.body_bytes_max = kAnswerBytesMax;
    LAB_TRY(const http::Answer answer, direct.call(ctx, std::move(request)));
    if (answer.status != 200 || answer.end.failure != http::TransferFailure::none) {
        return no_credentials(
            answer.status == 0 ? "the agent for the container's credentials does not answer"
                               : "the agent for the container's credentials answers with status " +
                                     std::to_string(answer.status),
            answer.end.message
        );
    }
    const auto read = parse_json(answer.body);
    Found out{.credentials = {}, .source = "container"};
    if (read && read->is_object()) {
        out.credentials.access_key_id = member(*read, "AccessKeyId");
        out.credentials.secret_access_key = member(*read, "SecretAccessKey");
        out.credentials.session_token = member(*read, "Token");
        out.expires_at = parse_rfc3339(member(*read, "Expiration"));
    }
    if (out.credentials.access_key_id.empty() || out.credentials.secret_access_key.empty()) {
        return no_credentials("the agent for the container's credentials answers without any");
    }
    return out;
}

}  // namespace lab::aws
