#include "cli/api_client.h"

#include "base/percent.h"
#include "base/text.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace lab::cli {
namespace {

constexpr Duration kFirstPause = std::chrono::milliseconds(100);
constexpr Duration kPauseMax = std::chrono::seconds(30);
constexpr Duration kAskedPauseMax = std::chrono::seconds(60);

/// The code of ours that goes with an answer; the wire name decides where two share a status.
Code code_of(int status, std::string_view wire_name) {
    constexpr Code kCodes[] = {
        Code::bad_request,
        Code::invalid_state,
        Code::unauthorized,
        Code::forbidden,
        Code::not_found,
        Code::conflict,
        Code::precondition_failed,
        Code::payload_too_large,
        Code::validation,
        Code::rate_limited,
        Code::budget_exceeded,
        Code::upstream_error,
        Code::upstream_timeout,
        Code::unavailable,
        Code::timed_out,
    };
    for (const Code code : kCodes) {
        if (info(code).wire_name == wire_name && info(code).http_status == status) {
            return code;
        }
    }
    for (const Code code : kCodes) {
        if (info(code).http_status == status) {
            return code;
        }
    }
    return status >= 500 ? Code::upstream_error : Code::bad_request;
}

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : dump_json(value);
}

std::optional<Duration> asked_pause(const ApiResponse& response) {
    const std::string_view text = http::find_header(response.headers, "retry-after");
    std::int64_t seconds = 0;
    const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    if (text.empty() || error != std::errc() || seconds < 0) {
        return std::nullopt;
    }
    return std::chrono::seconds(std::min<std::int64_t>(seconds, 86'400));
}

bool may_repeat(const ApiRequest& request) {
    return request.method != "POST" ||
           !http::find_header(request.headers, "idempotency-key").empty();
}

/// Whether another try may go better and does no harm.
bool is_worth_another(const ApiRequest& request, const ApiResponse& response) {
    if (response.status == 0) {
        return response.failure == http::TransferFailure::connect ||
               (may_repeat(request) && (response.failure == http::TransferFailure::closed ||
                                        response.failure == http::TransferFailure::timeout));
    }
    return response.status == 429 || (response.status >= 500 && may_repeat(request));
}

Error error_of_failure(const ApiResponse& response, const std::string& where) {
    using http::TransferFailure;
    const std::string why = ": " + response.failure_message;
    switch (response.failure) {
        case TransferFailure::connect:
            return Error(
                Code::unavailable,
                "cannot reach " + where + why,
                {{"", "is it up? Is its address right (--api-url, `llm-research config show`)?"}}
            );
        case TransferFailure::timeout:
            return Error(Code::timed_out, where + " did not answer in time" + why);
        case TransferFailure::too_large:
            return Error(Code::payload_too_large, "the answer of " + where + " is too large");
        case TransferFailure::cancelled:
            return Error(Code::cancelled, "interrupted");
        default:
            return Error(Code::upstream_error, where + " broke off its answer" + why);
    }
}

}  // namespace

std::string encode_target(const ApiRequest& request) {
    std::string out = request.path;
    char mark = out.find('?') == std::string::npos ? '?' : '&';
    for (const auto& [name, value] : request.query) {
        out += mark + percent_encode(name) + "=" + percent_encode(value);
        mark = '&';
    }
    return out;
}

Error error_of_response(const ApiResponse& response) {
    const auto parsed = parse_json(response.body);
    if (!parsed || !parsed->is_object() || !parsed->contains("error") ||
        !(*parsed)["error"].is_object()) {
        return Error(
            code_of(response.status, ""),
            "the server answered " + std::to_string(response.status) + " and not as this API does"
        );
    }
    const Json& said = (*parsed)["error"];
    Error out(
        code_of(response.status, said.value("code", "")),
        said.value("message", "the server answered " + std::to_string(response.status))
    );
    for (const auto& [name, value] : said.items()) {
        if (name == "details" && value.is_array()) {
            for (const Json& one : value) {
                if (one.is_object()) {
                    out.details.push_back({one.value("field", ""), one.value("message", "")});
                }
            }
        } else if (name != "code" && name != "message") {
            std::string field = name;
            std::ranges::replace(field, '_', ' ');
            out.details.push_back({std::move(field), text_of(value)});
        }
    }
    return out;
}

ApiClient::ApiClient(Transport& transport, UuidSource& uuids, ApiClientOptions options)
    : transport_(transport), uuids_(uuids), options_(std::move(options)) {}

Result<void> ApiClient::add_headers(ApiRequest& request, const std::string& key) const {
    if (request.is_whole_url()) {
        return ok();
    }
    const bool login = request.path.starts_with("/auth/") && request.path != "/auth/logout" &&
                       request.path != "/auth/me";
    if (options_.credential && !login) {
        LAB_TRY(const http::Headers who, options_.credential());
        request.headers.insert(request.headers.end(), who.begin(), who.end());
    }
    if (request.method == "POST" && !request.path.starts_with("/auth/")) {
        request.headers.emplace_back("Idempotency-Key", key);
    }
    if (!request.body.empty() && http::find_header(request.headers, "content-type").empty()) {
        request.headers.emplace_back("Content-Type", "application/json");
    }
    return ok();
}

Result<ApiResponse> ApiClient::attempt(
    ApiRequest request, const std::function<ApiResponse(const ApiRequest&)>& send
) {
    const std::string key = uuids_.next();
    Duration pause = kFirstPause;
    bool renewed = false;
    for (int tries = 1;; ++tries) {
        ApiRequest one = request;
        LAB_CHECK(add_headers(one, key));
        ApiResponse response = send(one);
        if (options_.trace) {
            const std::string path = one.path.substr(0, one.path.find('?'));
            const std::string end =
                response.status > 0 ? std::to_string(response.status) : response.failure_message;
            options_.trace(one.method + " " + path + " -> " + end);
        }
        if (response.status >= 200 && response.status < 300) {
            return response;
        }
        if (response.status == 404 && tries > 1 && request.method == "DELETE") {
            response.status = 204;  // an earlier try removed it, and its answer was lost
            return response;
        }
        if (response.status == 401 && !renewed && options_.renew) {
            renewed = true;
            LAB_TRY(const bool again, options_.renew());
            if (again) {
                --tries;
                continue;
            }
        }
        const Duration wait = std::max(asked_pause(response).value_or(Duration(0)), pause);
        if (tries > options_.retries_max || !is_worth_another(one, response) ||
            wait > kAskedPauseMax) {
            return explain(request, response);
        }
        transport_.pause(wait);
        pause = std::min(2 * pause, kPauseMax);
    }
}

Error ApiClient::explain(const ApiRequest& request, const ApiResponse& response) const {
    if (response.status == 0) {
        return error_of_failure(response, transport_.where());
    }
    Error out = error_of_response(response);
    if (transport_.is_local()) {
        std::erase_if(out.details, [](const Detail& d) { return d.field == "request id"; });
    }
    if (out.code == Code::not_found) {
        out.details.push_back({"", "looked for " + request.path + " in " + transport_.where()});
    }
    if (out.code == Code::unauthorized) {
        out.details.push_back(
            {"",
             "log in to " + transport_.where() + " with `llm-research auth login" +
                 options_.login_option + "`, or give LLM_RESEARCH_API_KEY"}
        );
    }
    return out;
}

Result<ApiResponse> ApiClient::send(ApiRequest request) {
    return attempt(std::move(request), [this](const ApiRequest& one) {
        return transport_.send(one);
    });
}

Result<ApiResponse> ApiClient::stream(ApiRequest request, const Transport::Sink& sink) {
    bool begun = false;
    auto response = attempt(std::move(request), [&](const ApiRequest& one) {
        ApiResponse out = transport_.stream(one, [&](std::string_view bytes) {
            begun = true;
            return sink(bytes);
        });
        if (begun && out.failure != http::TransferFailure::none) {
            out.status = 200;  // what was handed on cannot be taken back: no other try
        }
        return out;
    });
    if (response && response->failure != http::TransferFailure::none) {
        response->status = 0;
        return error_of_failure(*response, transport_.where());
    }
    return response;
}

Result<Json> ApiClient::call(ApiRequest request) {
    request.timeout = options_.timeout;
    LAB_TRY(const ApiResponse response, send(std::move(request)));
    if (response.body.empty()) {
        return Json();
    }
    auto parsed = parse_json(response.body);
    if (!parsed) {
        return Error(
            Code::upstream_error, transport_.where() + " answered something that is not JSON"
        );
    }
    return parsed;
}

Result<Json> ApiClient::get(std::string path) { return call({.path = std::move(path)}); }

Result<Json> ApiClient::post(std::string path, const Json& body) {
    return call({.method = "POST", .path = std::move(path), .body = dump_json(body)});
}

}  // namespace lab::cli
