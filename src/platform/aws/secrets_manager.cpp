#include "platform/aws/secrets_manager.h"

#include "base/text.h"
#include "platform/aws/xml.h"
#include "platform/crypto/base64url.h"
#include "platform/crypto/sha256.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace lab::aws {
namespace {

constexpr std::string_view kService = "secretsmanager";
constexpr std::size_t kAnswerBytesMax = 256U << 10;  // a secret has at most 64 KiB
constexpr std::size_t kTypeBytesMax = 80;
constexpr double kYear9999 = 253'402'300'799.0;

/// Types of errors that mean somebody who may not.
constexpr std::string_view kRefusals[] = {
    "AccessDeniedException",
    "AccessDenied",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException",
    "IncompleteSignatureException",
    "OptInRequired",
};
constexpr std::string_view kThrottles[] = {
    "ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"
};
constexpr std::string_view kExpired[] = {"ExpiredTokenException", "ExpiredToken", "RequestExpired"};

bool is_among(std::string_view word, std::span<const std::string_view> words) {
    return std::ranges::find(words, word) != words.end();
}

/// ARNs say in which region the secret is.
std::string region_of(const std::string& id, const std::string& usual) {
    const auto parts = split(id, ':');
    return id.starts_with("arn:") && parts.size() > 3 && !parts[3].empty() ? std::string(parts[3])
                                                                           : usual;
}

std::string address_of(const SecretsManagerOptions& options, const std::string& region) {
    if (!options.endpoint.empty()) {
        return options.endpoint.ends_with('/') ? options.endpoint : options.endpoint + "/";
    }
    const std::string_view ending =
        region.starts_with("cn-") ? ".amazonaws.com.cn/" : ".amazonaws.com/";
    return "https://secretsmanager." + region + std::string(ending);
}

/// The word for what went wrong: only letters, so that nothing else of the answer gets on.
std::string plain_type(std::string_view text) {
    // "com.amazonaws.secretsmanager#AccessDeniedException:http://..."
    text = text.substr(0, text.find(':'));
    const std::size_t sharp = text.rfind('#');
    text = sharp == text.npos ? text : text.substr(sharp + 1);
    const bool is_word =
        !text.empty() && text.size() <= kTypeBytesMax && std::ranges::all_of(text, [](char c) {
            return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        });
    return is_word ? std::string(text) : "";
}

/// Amazon sends JSON; others of the kind send XML here, as other services of Amazon do.
std::string type_of(const http::Answer& answer) {
    if (const auto type = plain_type(http::find_header(answer.headers, "x-amzn-errortype"));
        !type.empty()) {
        return type;
    }
    if (const auto json = parse_json(answer.body); json && json->is_object()) {
        const auto found = json->find("__type");
        return found != json->end() && found->is_string()
                   ? plain_type(found->get_ref<const std::string&>())
                   : "";
    }
    const auto xml = parse_xml(answer.body);
    if (!xml) {
        return "";
    }
    const XmlElement* at = &*xml;
    for (const char* below : {"Errors", "Error"}) {
        const XmlElement* const found = at->find(below);
        at = found != nullptr ? found : at;
    }
    return plain_type(at->text_of("Code"));
}

/// Plain base64 (RFC 4648 section 4).
std::optional<std::string> read_base64(std::string text) {
    while (text.ends_with('=')) {
        text.pop_back();
    }
    std::ranges::replace(text, '+', '-');
    std::ranges::replace(text, '/', '_');
    return base64url_decode(text);
}

Result<Secret> read_secret(std::string_view body) {
    const Error odd(Code::upstream_error, "the secrets service answers without a secret");
    const auto json = parse_json(body);
    if (!json || !json->is_object()) {
        return odd;
    }
    const auto text = [&](const char* name) -> const std::string* {
        const auto found = json->find(name);
        return found != json->end() && found->is_string() ? &found->get_ref<const std::string&>()
                                                          : nullptr;
    };
    Secret out;
    if (const std::string* plain = text("SecretString")) {
        out.text = *plain;
    } else {
        const std::string* const binary = text("SecretBinary");
        const auto bytes = binary != nullptr ? read_base64(*binary) : std::nullopt;
        if (!bytes) {
            return odd;
        }
        out.text = *bytes;
    }
    const std::string* const version = text("VersionId");
    out.version = version != nullptr ? *version : "";
    const auto made = json->find("CreatedDate");
    if (made != json->end() && made->is_number()) {
        const double seconds = made->get<double>();
        if (seconds >= 0 && seconds <= kYear9999) {
            out.made_at = WallTime(std::chrono::seconds(std::llround(seconds)));
        }
    }
    return out;
}

Error away(std::string words, std::string cause = {}) {
    Error out(Code::unavailable, std::move(words));
    out.cause = std::move(cause);
    return out;
}

}  // namespace

SecretsManager::SecretsManager(
    SecretsManagerOptions options,
    const Clock& clock,
    http::BlockingClient& http,
    CredentialChain& credentials,
    std::uint64_t seed
)
    : options_(std::move(options)),
      clock_(clock),
      http_(http),
      credentials_(credentials),
      rng_(seed) {}

Duration SecretsManager::backoff(int tried) {
    Duration most = options_.backoff_first;
    for (int i = 1; i < tried && most < options_.backoff_max; ++i) {
        most *= 2;
    }
    const std::scoped_lock lock(mutex_);
    return std::chrono::duration_cast<Duration>(
        std::min(most, options_.backoff_max) * rng_.uniform()
    );
}

SecretsManager::Failure SecretsManager::read_failure(
    const http::Answer& answer, const Credentials& used
) {
    using http::TransferFailure;
    if (answer.end.failure == TransferFailure::timeout) {
        return {away("the secrets service does not answer in time", answer.end.message), false};
    }
    if (answer.end.failure == TransferFailure::too_large) {
        return {Error(Code::upstream_error, "the secrets service answers with too much")};
    }
    if (answer.status == 0 || answer.end.failure != TransferFailure::none) {
        return {away("the secrets service does not answer", answer.end.message), false};
    }
    const std::string type = type_of(answer);
    const std::string in_words = type.empty() ? "status " + std::to_string(answer.status) : type;
    if (is_among(type, kExpired)) {
        credentials_.forget(used);
        return {
            Error(Code::forbidden, "the secrets service refuses the credentials: " + in_words),
            false
        };
    }
    if (type == "ResourceNotFoundException") {
        return {Error(Code::not_found, "there is no such secret: " + in_words)};
    }
    if (is_among(type, kThrottles) || answer.status == 429) {
        return {away("the secrets service takes no more requests: " + in_words), false};
    }
    if (answer.status >= 500) {
        return {away("the secrets service has trouble: " + in_words), false};
    }
    if (is_among(type, kRefusals) || answer.status == 401 || answer.status == 403) {
        return {Error(Code::forbidden, "the secrets service refuses access: " + in_words)};
    }
    return {Error(Code::upstream_error, "the secrets service refuses the request: " + in_words)};
}

Result<std::optional<Secret>> SecretsManager::attempt(
    const Ctx& ctx, const std::string& id, std::string_view stage, Failure& failure
) {
    LAB_TRY(const Credentials credentials, credentials_.get(ctx));
    const std::string region = region_of(id, options_.region);
    const Json wanted = {{"SecretId", id}, {"VersionStage", stage}};
    http::Request request;
    request.url = address_of(options_, region);
    request.headers = {
        {"Content-Type", "application/x-amz-json-1.1"},
        {"X-Amz-Target", "secretsmanager.GetSecretValue"},
    };
    request.body = dump_json(wanted);
    request.connect_timeout = options_.connect_timeout;
    request.total_timeout = options_.call_timeout;
    request.body_bytes_max = kAnswerBytesMax;
    sign(
        request,
        {region, std::string(kService)},
        credentials,
        clock_.wall(),
        sha256_hex(request.body)
    );
    LAB_TRY(const http::Answer answer, http_.call(ctx, std::move(request)));
    if (answer.end.failure != http::TransferFailure::none || answer.status != 200) {
        failure = read_failure(answer, credentials);
        return std::optional<Secret>();
    }
    LAB_TRY(Secret secret, read_secret(answer.body));
    return std::optional(std::move(secret));
}

Result<Secret> SecretsManager::get(const Ctx& ctx, const std::string& id, std::string_view stage) {
    for (int tried = 1;; ++tried) {
        Failure failure;
        auto got = attempt(ctx, id, stage, failure);
        if (!got) {
            return got.error().code == Code::timed_out
                       ? away("the secrets service does not answer in time")
                       : std::move(got).error();
        }
        if (std::optional<Secret>& secret = *got) {
            return *std::move(secret);
        }
        if (failure.is_final || tried >= options_.attempts_max) {
            return std::move(failure.error);
        }
        if (const Status waited = http::wait_for(ctx, backoff(tried)); !waited) {
            return waited.error().code == Code::timed_out ? std::move(failure.error)
                                                          : waited.error();
        }
    }
}

}  // namespace lab::aws
