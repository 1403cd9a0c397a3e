#include "api/impl/encode.h"

#include "api/application.h"
#include "base/text.h"
#include "platform/http/compress.h"
#include "platform/json/schema.h"
#include "platform/telemetry/redact.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace lab::api {
namespace {

/// An answer names at most so many problems of a body.
constexpr std::size_t kProblemsShown = 100;

/// Members of the envelope that are numbers; "allowed" is a list.
constexpr std::string_view kNumbers[] = {"retry_after", "limit", "remaining", "reset_at"};

Json member_value(const Detail& detail) {
    if (detail.field == "allowed" || detail.field == "known") {
        return split_commas(detail.message);
    }
    if (std::ranges::find(kNumbers, detail.field) != std::end(kNumbers)) {
        std::int64_t number = 0;
        std::from_chars(
            detail.message.data(), detail.message.data() + detail.message.size(), number
        );
        return number;
    }
    return detail.message;
}

Status check_query(
    const Route& route, const std::vector<std::pair<std::string, std::string>>& values
) {
    std::vector<std::string> known;
    for (const QueryParameter& parameter : route.query) {
        known.emplace_back(parameter.name);
        const bool given = std::ranges::any_of(values, [&](const auto& one) {
            return one.first == parameter.name;
        });
        if (parameter.required && !given) {
            return Error(
                Code::bad_request,
                "the query parameter \"" + std::string(parameter.name) + "\" is missing"
            );
        }
    }
    for (const auto& [name, value] : values) {
        if (std::ranges::find(known, name) == known.end()) {
            std::string words = "unknown query parameter \"" + shorten(name, 40) + "\"";
            if (const std::string near = nearest(name, known); !near.empty()) {
                words += ", did you mean \"" + near + "\"?";
            }
            return Error(Code::bad_request, std::move(words));
        }
    }
    return ok();
}

}  // namespace

Reply reply_json(Json value, int status) {
    Reply out;
    out.status = status;
    out.json = std::move(value);
    return out;
}

Reply reply_nothing() {
    Reply out;
    out.status = 204;
    return out;
}

Call::Call(
    const http::RequestHead& head,
    std::vector<std::string> path_values,
    const service::Request* request,
    Json body
)
    : head_(head),
      path_values_(std::move(path_values)),
      request_(request),
      body_(std::move(body)) {}

std::string_view Call::header(std::string_view name) const {
    return http::find_header(head_.headers, name);
}

std::optional<std::string> Call::query(std::string_view name) const {
    for (const auto& [key, value] : query_values) {
        if (key == name) {
            return value;
        }
    }
    return std::nullopt;
}

/// For a validation error the details are fields with problems; for every other they are members.
Json error_json(const Error& error, std::string_view request_id) {
    const bool ours = error.code == Code::internal || error.code == Code::io;
    Json body = Json::object();
    body["code"] = info(error.code).wire_name;
    // What broke inside is for the log: a message of ours may name files and statements.
    body["message"] =
        ours ? "something broke on our side; the log has it under this request id" : error.message;
    if (error.code == Code::validation) {
        Json& details = body["details"] = Json::array();
        for (const Detail& detail : error.details) {
            details.push_back({{"field", detail.field}, {"message", detail.message}});
        }
    } else if (!ours) {
        for (const Detail& detail : error.details) {
            body[detail.field] = member_value(detail);
        }
    }
    body["request_id"] = request_id;
    return {{"error", std::move(body)}};
}

Reply problem_reply(
    int status, std::string_view code, std::string_view message, std::string_view request_id
) {
    Json body = Json::object();
    body["code"] = code;
    body["message"] = message;
    body["request_id"] = request_id;
    return reply_json({{"error", std::move(body)}}, status);
}

std::vector<std::string> split_commas(std::string_view text) {
    std::vector<std::string> out;
    while (!text.empty()) {
        const std::size_t comma = text.find(',');
        const std::string_view word = trim(text.substr(0, comma));
        if (!word.empty()) {
            out.emplace_back(word);
        }
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
    }
    return out;
}

std::string allow_header(const std::vector<std::string_view>& methods) {
    std::string out;
    for (const std::string_view method : methods) {
        out += out.empty() ? "" : ", ";
        out += method;
        if (method == "GET") {
            out += ", HEAD";
        }
    }
    return out + (out.empty() ? "OPTIONS" : ", OPTIONS");
}

bool came_through_a_proxy(const http::RequestHead& head) {
    return std::ranges::any_of(
        std::to_array<std::string_view>(
            {"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"}
        ),
        [&](std::string_view name) { return !http::find_header(head.headers, name).empty(); }
    );
}

Result<Call> read_call(
    http::Exchange& exchange, const Router::Match& match, const service::Request& request
) {
    const Route& route = *match.route;
    LAB_TRY(auto values, parse_query(exchange.head().query));
    LAB_CHECK(check_query(route, values));
    Json body;
    if (route.body == BodyKind::json) {
        const std::string& text = exchange.body();
        if (text.empty() && route.body_optional) {
            body = Json::object();
        } else {
            auto parsed = parse_json(text, {.bytes_max = route.body_bytes_max});
            if (!parsed) {
                return Error(Code::bad_request, "the body is not JSON: " + parsed.error().message);
            }
            body = *std::move(parsed);
        }
        if (route.request_schema != nullptr) {
            std::vector<Detail> problems = check_schema(body, *route.request_schema);
            if (problems.size() > kProblemsShown) {
                problems.resize(kProblemsShown);  // a long list can be wrong in every entry
            }
            // What was sent is quoted, and may be a secret that stands in the wrong place.
            for (Detail& problem : problems) {
                problem.message = redact(problem.message);
            }
            if (!problems.empty()) {
                return Error(
                    Code::validation, "the body cannot be taken as it is", std::move(problems)
                );
            }
        }
    }
    Call call(exchange.head(), match.path_values, &request, std::move(body));
    if (route.body == BodyKind::raw) {
        call.raw_body = exchange.take_body();
    }
    call.query_values = std::move(values);
    return call;
}

void compress(
    const http::RequestHead& head, bool enabled, std::size_t bytes_min, http::Response& response
) {
    if (!enabled || response.body.size() < std::max<std::size_t>(1, bytes_min)) {
        return;
    }
    response.headers.emplace_back("Vary", "Accept-Encoding");
    const std::string_view accepted = http::find_header(head.headers, "accept-encoding");
    const std::string_view type = http::find_header(response.headers, "content-type");
    const auto coding = http::choose_coding(accepted);
    if (!coding || !http::is_compressible(type)) {
        return;
    }
    if (auto smaller = http::compress(*coding, response.body);
        smaller && smaller->size() < response.body.size()) {
        response.body = *std::move(smaller);
        response.headers.emplace_back("Content-Encoding", http::to_string(*coding));
    }
}

}  // namespace lab::api
