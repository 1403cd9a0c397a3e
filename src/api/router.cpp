#include "api/router.h"

#include "base/text.h"
#include "base/uuid.h"

#include <algorithm>

namespace lab::api {
namespace {

constexpr std::size_t kSegmentsMax = 16;

Result<std::vector<std::string_view>> split(std::string_view path) {
    std::vector<std::string_view> out;
    if (path.empty() || path.front() != '/') {
        return Error(Code::not_found, "there is nothing here");
    }
    path.remove_prefix(1);
    while (!path.empty()) {
        const std::size_t slash = path.find('/');
        out.push_back(path.substr(0, slash));
        if (out.size() > kSegmentsMax) {
            return Error(Code::not_found, "there is nothing here");
        }
        if (slash == std::string_view::npos) {
            return out;
        }
        path.remove_prefix(slash + 1);
        if (path.empty()) {
            out.emplace_back();  // "/models/" is not "/models"
        }
    }
    return out;
}

bool is_parameter(std::string_view segment) { return segment.starts_with('{'); }

std::string_view name_of(std::string_view segment) { return segment.substr(1, segment.size() - 2); }

Status check(const Route& route) {
    const std::string where = std::string(route.method) + " " + std::string(route.path);
    if (route.guard == Guard::undeclared) {
        return Error(Code::internal, where + " does not say who may use it");
    }
    if ((route.guard == Guard::permission) != route.permission.has_value()) {
        return Error(Code::internal, where + ": a permission belongs to the guard of that name");
    }
    if (!route.handler) {
        return Error(Code::internal, where + " has no handler");
    }
    return ok();
}

std::optional<int> hex(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return std::nullopt;
}

}  // namespace

Result<std::string> percent_decode(std::string_view text, bool plus_is_space) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        if (c == '+' && plus_is_space) {
            c = ' ';
        } else if (c == '%') {
            const bool whole = text.size() - i > 2;
            const auto high = whole ? hex(text[i + 1]) : std::nullopt;
            const auto low = whole ? hex(text[i + 2]) : std::nullopt;
            if (!high || !low) {
                return Error(Code::bad_request, "a percent sign is not followed by two digits");
            }
            c = static_cast<char>(*high * 16 + *low);
            i += 2;
        }
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
            return Error(Code::bad_request, "control characters have no place in a URL");
        }
        out += c;
    }
    if (!is_utf8(out)) {
        return Error(Code::bad_request, "the URL is not UTF-8");
    }
    return out;
}

Result<std::vector<std::pair<std::string, std::string>>> parse_query(std::string_view query) {
    std::vector<std::pair<std::string, std::string>> out;
    while (!query.empty()) {
        const std::size_t end = query.find('&');
        const std::string_view part = query.substr(0, end);
        query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
        if (part.empty()) {
            continue;
        }
        const std::size_t equals = part.find('=');
        LAB_TRY(std::string name, percent_decode(part.substr(0, equals), true));
        LAB_TRY(
            std::string value,
            percent_decode(equals == std::string_view::npos ? "" : part.substr(equals + 1), true)
        );
        if (std::ranges::any_of(out, [&](const auto& one) { return one.first == name; })) {
            return Error(
                Code::bad_request, "the query parameter \"" + shorten(name, 40) + "\" is repeated"
            );
        }
        if (out.size() == kQueryValuesMax) {
            return Error(Code::bad_request, "the query has too many parameters");
        }
        out.emplace_back(std::move(name), std::move(value));
    }
    return out;
}

Result<Router> Router::make(std::vector<Route> routes) {
    Router out;
    out.routes_ = std::move(routes);
    for (std::size_t i = 0; i < out.routes_.size(); ++i) {
        const Route& route = out.routes_[i];
        LAB_CHECK(check(route));
        LAB_TRY(const std::vector<std::string_view> segments, split(route.path));
        std::size_t at = 0;
        for (const std::string_view segment : segments) {
            std::size_t next = 0;
            if (is_parameter(segment)) {
                next = out.nodes_[at].parameter;
            } else if (const auto found = out.nodes_[at].literal.find(segment);
                       found != out.nodes_[at].literal.end()) {
                next = found->second;
            }
            if (next == 0) {
                next = out.nodes_.size();
                out.nodes_.emplace_back();
                if (is_parameter(segment)) {
                    out.nodes_[at].parameter = next;
                } else {
                    out.nodes_[at].literal.emplace(segment, next);
                }
            }
            at = next;
        }
        for (const std::size_t other : out.nodes_[at].routes) {
            if (out.routes_[other].method == route.method) {
                return Error(
                    Code::internal,
                    std::string(route.method) + " " + std::string(route.path) + " is there twice"
                );
            }
        }
        out.nodes_[at].routes.push_back(i);
        if (route.path.find('{') == std::string_view::npos) {
            out.literal_.emplace(route.path, at);
        }
    }
    return out;
}

/// What there is at the end of a path, without the values in it.
Router::Match Router::at_node(std::string_view method, std::size_t node) const {
    Match match;
    const std::string_view wanted = method == "HEAD" ? "GET" : method;
    for (const std::size_t index : nodes_[node].routes) {
        const Route& route = routes_[index];
        if (route.method == wanted) {
            return {.route = &route, .path_values = {}, .allowed = {}};
        }
        match.allowed.push_back(route.method);
    }
    return match;
}

Result<Router::Match> Router::find(std::string_view method, std::string_view path) const {
    if (const auto whole = literal_.find(path); whole != literal_.end()) {
        return at_node(method, whole->second);
    }
    LAB_TRY(std::vector<std::string_view> segments, split(path));
    if (segments.size() > 1 && segments.front() == "v1") {
        segments.erase(segments.begin());
    }
    Match match;
    std::size_t at = 0;
    for (const std::string_view segment : segments) {
        LAB_TRY(std::string value, percent_decode(segment, false));
        const Node& node = nodes_[at];
        const auto literal = node.literal.find(value);
        if (literal != node.literal.end()) {
            at = literal->second;
        } else if (node.parameter != 0 && !value.empty()) {
            at = node.parameter;
            match.path_values.push_back(std::move(value));
        } else {
            return Match{};
        }
    }
    Match of_node = at_node(method, at);
    match.route = of_node.route;
    match.allowed = std::move(of_node.allowed);
    if (match.route == nullptr) {
        return match;
    }
    std::size_t value = 0;
    LAB_TRY(const std::vector<std::string_view> named, split(match.route->path));
    for (const std::string_view segment : named) {
        if (!is_parameter(segment)) {
            continue;
        }
        std::string& text = match.path_values[value++];
        const std::string_view name = name_of(segment);
        const auto& plain = match.route->plain_path_values;
        if (std::ranges::find(plain, name) == plain.end()) {
            if (!is_uuid(text)) {
                return Error(
                    Code::bad_request,
                    "\"" + shorten(text, 60) + "\" in the path is not an id: it must be a UUID"
                );
            }
            text = to_lower(text);
        }
    }
    return match;
}

}  // namespace lab::api
