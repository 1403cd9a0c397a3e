#include "api/impl/encode.h"

#include "api/application.h"
#include "base/text.h"
#include "base/time_text.h"
#include "base/uuid.h"
#include "platform/http/compress.h"
#include "platform/json/schema.h"
#include "platform/telemetry/redact.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <functional>
#include <iterator>

namespace lab::api {
namespace {

/// An answer names at most so many problems of a body.
constexpr std::size_t kProblemsShown = 100;

/// Members of the envelope that are numbers; "allowed" is a list.
constexpr std::string_view kNumbers[] = {"retry_after", "limit", "remaining", "reset_at", "index"};

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

Error bad_value(const QueryParameter& parameter, const std::string& wanted) {
    return {
        Code::bad_request,
        "the query parameter \"" + std::string(parameter.name) + "\" " + wanted,
    };
}

Status check_integer(const QueryParameter& parameter, const std::string& text) {
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    if (parsed.ptr != end || text.empty() || parsed.ec == std::errc::invalid_argument) {
        return bad_value(parameter, "is no whole number");
    }
    if (parsed.ec != std::errc() || value < parameter.least || value > parameter.most) {
        const std::string range =
            "must be " + std::to_string(parameter.least) + " to " + std::to_string(parameter.most);
        Error error = bad_value(parameter, range);
        error.code = Code::validation;
        error.details.push_back({std::string(parameter.name), range});
        return error;
    }
    return ok();
}

bool is_tag(std::string_view word) {
    return !word.empty() && word.size() <= 64 && std::ranges::all_of(word, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               std::string_view("_.:-").contains(c);
    });
}

bool is_label(std::string_view text) {
    return !text.empty() && text.size() <= 64 && !std::string_view(".+:-").contains(text[0]) &&
           std::ranges::all_of(text, [](char c) { return c == '+' || is_tag({&c, 1}); });
}

/// Each of the words between commas, of which there is one at least and none is empty.
bool all_words(std::string_view text, const std::function<bool(std::string_view)>& good) {
    while (true) {
        const std::size_t comma = text.find(',');
        if (!good(text.substr(0, comma))) {
            return false;
        }
        if (comma == std::string_view::npos) {
            return true;
        }
        text.remove_prefix(comma + 1);
    }
}

Status check_value(const QueryParameter& parameter, const std::string& text) {
    const auto is_known = [&](std::string_view word) {
        return std::ranges::find(parameter.values, word) != parameter.values.end();
    };
    if (parameter.type == "integer") {
        return check_integer(parameter, text);
    }
    if (parameter.type == "boolean" && text != "true" && text != "false") {
        return bad_value(parameter, "must be true or false");
    }
    if (parameter.type == "uuid" && !is_uuid(text)) {
        return bad_value(parameter, "must be a UUID");
    }
    if (parameter.type == "time" && !parse_rfc3339(text)) {
        return bad_value(parameter, "must be a time such as 2026-01-31T12:00:00Z");
    }
    if (parameter.type == "label" && !is_label(text)) {
        return bad_value(parameter, "takes a label such as 1.1.0: letters, digits and _ . + : -");
    }
    if (parameter.type == "tags" && !all_words(text, is_tag)) {
        return bad_value(parameter, "takes tags of letters, digits and _ . : - between commas");
    }
    if (parameter.type == "uuids" && !all_words(text, is_uuid)) {
        return bad_value(parameter, "takes UUIDs, separated by commas");
    }
    const bool many = parameter.type == "words";
    if (!parameter.values.empty() && !(many ? all_words(text, is_known) : is_known(text))) {
        std::string all;
        for (const std::string_view value : parameter.values) {
            all += (all.empty() ? "" : ", ") + std::string(value);
        }
        return bad_value(parameter, (many ? "takes, between commas: " : "is one of: ") + all);
    }
    return ok();
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
        LAB_CHECK(check_value(*std::ranges::find(route.query, name, &QueryParameter::name), value));
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

std::optional<std::string_view> Call::given_header(std::string_view name) const {
    for (const auto& [key, value] : head_.headers) {
        if (to_lower(key) == name) {
            return value;
        }
    }
    return std::nullopt;
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

std::string audited_id(
    std::string_view path,
    const AuditClass& audit,
    const std::vector<std::string>& path_values,
    const Reply* reply
) {
    if (reply != nullptr && !reply->audit_id.empty()) {
        return reply->audit_id;
    }
    if (!path_values.empty()) {
        const bool of_run = audit.resource == "run" && path.find("{run}") != std::string_view::npos;
        return path_values[of_run ? 1 : 0];
    }
    if (reply != nullptr && reply->json && reply->json->is_object()) {
        const auto id = reply->json->find("id");
        return id != reply->json->end() && id->is_string() ? id->get<std::string>() : "";
    }
    return "";
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

std::string client_address(
    const http::RequestHead& head, const std::vector<std::string>& trusted_proxies
) {
    const auto trusted = [&](std::string_view ip) {
        return std::ranges::find(trusted_proxies, ip) != trusted_proxies.end();
    };
    if (!trusted(head.peer.address)) {
        return head.peer.address;
    }
    // A proxy may add a field of its own instead of extending the one that is there: the last hop
    // stands in the last field, and whoever sent the first could write anything.
    std::vector<std::string> hops;
    for (const auto& [name, value] : head.headers) {
        if (to_lower(name) == "x-forwarded-for") {
            std::ranges::move(split_commas(value), std::back_inserter(hops));
        }
    }
    for (auto hop = hops.rbegin(); hop != hops.rend(); ++hop) {
        if (!trusted(*hop)) {
            return shorten(*hop, 64);
        }
    }
    return head.peer.address;
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
    http::Exchange& exchange,
    const Router::Match& match,
    const service::Request& request,
    const JsonLimits& limits
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
            auto parsed = parse_json(text, limits);
            if (!parsed) {
                return Error(Code::bad_request, "the body is not JSON: " + parsed.error().message);
            }
            body = *std::move(parsed);
        }
        const bool batch = route.takes_batch && body.is_array();
        if (route.request_schema != nullptr && !batch) {
            if (route.shown_request_schema != nullptr) {
                body = without_absent(body, *route.request_schema);  // and it shows null
            }
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
