#include "base/percent.h"
#include "base/text.h"
#include "base/time_text.h"
#include "platform/aws/impl/sources.h"
#include "platform/aws/xml.h"

namespace lab::aws {
namespace {

constexpr Duration kConnectTimeout = std::chrono::seconds(3);
constexpr std::size_t kAnswerBytesMax = 256U << 10;

/// What STS says is wrong, without what was sent to it.
std::string problem_of(const http::Answer& answer) {
    if (answer.status == 0) {
        return "STS does not answer";
    }
    const auto read = parse_xml(answer.body);
    const XmlElement* const error = read ? read->find("Error") : nullptr;
    const std::string code(error != nullptr ? error->text_of("Code") : "");
    return "STS refuses the web identity: " + (code.empty()
                                                   ? "status " + std::to_string(answer.status)
                                                   : shorten(sanitize_utf8(code), 100));
}

}  // namespace

std::string sts_endpoint(std::string_view region) {
    const std::string_view ending =
        region.starts_with("cn-") ? ".amazonaws.com.cn/" : ".amazonaws.com/";
    return "https://sts." + std::string(region) + std::string(ending);
}

Result<Found> assume_role(const Ctx& ctx, http::BlockingClient& http, const WebIdentity& identity) {
    LAB_TRY(
        const std::string token, read_small_file(identity.token_file, "AWS_WEB_IDENTITY_TOKEN_FILE")
    );
    http::Request request;
    request.url = identity.endpoint;
    request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
    request.body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=" +
                   percent_encode(identity.role_arn) +
                   "&RoleSessionName=" + percent_encode(identity.session_name) +
                   "&WebIdentityToken=" + percent_encode(trim_ascii(token));
    request.connect_timeout = kConnectTimeout;
    request.body_bytes_max = kAnswerBytesMax;
    LAB_TRY(const http::Answer answer, http.call(ctx, std::move(request)));
    if (answer.status != 200 || answer.end.failure != http::TransferFailure::none) {
        return no_credentials(problem_of(answer), answer.end.message);
    }
    const auto read = parse_xml(answer.body);
    const XmlElement* const result = read ? read->find("AssumeRoleWithWebIdentityResult") : nullptr;
    const XmlElement* const given = result != nullptr ? result->find("Credentials") : nullptr;
    if (given == nullptr) {
        return no_credentials("STS answers without credentials");
    }
    Found out{.credentials = {}, .source = "web identity"};
    out.credentials.access_key_id = given->text_of("AccessKeyId");
    out.credentials.secret_access_key = given->text_of("SecretAccessKey");
    out.credentials.session_token = given->text_of("SessionToken");
    out.expires_at = parse_rfc3339(given->text_of("Expiration"));
    if (out.credentials.access_key_id.empty() || out.credentials.secret_access_key.empty() ||
        out.credentials.session_token.empty() || !out.expires_at) {
        return no_credentials("STS answers without credentials");
    }
    return out;
}

}  // namespace lab::aws
