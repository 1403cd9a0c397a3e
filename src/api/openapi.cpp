#include "api/openapi.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace lab::api {
namespace {

/// Schemas of ours without what only our own checker reads.
Json public_schema(const Json& schema) {
    if (schema.is_array()) {
        Json out = Json::array();
        for (const Json& one : schema) {
            out.push_back(public_schema(one));
        }
        return out;
    }
    if (!schema.is_object()) {
        return schema;
    }
    Json out = Json::object();
    for (const auto& [name, value] : schema.items()) {
        if (name != "x-hint" && name != "x-noun" && name != "x-reference") {
            out[name] = public_schema(value);
        }
    }
    return out;
}

Json parameter_schema(std::string_view type) {
    if (type == "uuid") {
        return {{"type", "string"}, {"format", "uuid"}};
    }
    return {{"type", type}};
}

Json parameters_of(const Route& route) {
    Json out = Json::array();
    std::string_view rest = route.path;
    while (rest.find('{') != std::string_view::npos) {
        rest.remove_prefix(rest.find('{') + 1);
        const std::string_view name = rest.substr(0, rest.find('}'));
        const auto& plain = route.plain_path_values;
        const bool is_plain = std::ranges::find(plain, name) != plain.end();
        out.push_back({
            {"name", name},
            {"in", "path"},
            {"required", true},
            {"schema", parameter_schema(is_plain ? "string" : "uuid")},
        });
    }
    for (const QueryParameter& parameter : route.query) {
        out.push_back({
            {"name", parameter.name},
            {"in", "query"},
            {"required", parameter.required},
            {"description", parameter.help},
            {"schema", parameter_schema(parameter.type)},
        });
    }
    return out;
}

Json error_answer(std::string_view description) {
    return {
        {"description", description},
        {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}},
    };
}

std::string_view describe(int status) {
    switch (status) {
        case 400:
            return "It cannot be understood, or not in this state";
        case 401:
            return "No good credential";
        case 403:
            return "A good credential without the right";
        case 404:
            return "There is no such thing, or it is not for the caller's eyes";
        case 409:
            return "It is there already, or something refers to it";
        case 412:
            return "It was changed since";
        case 413:
            return "The body is too large";
        case 415:
            return "The body is not of a type that is taken";
        case 422:
            return "Understood and refused: details say which members and why";
        case 429:
            return "Too many requests";
        case 503:
            return "Not now: overloaded, in maintenance or without its database";
        default:
            return "Something broke on our side";
    }
}

Json answers_of(const Route& route) {
    Json out = Json::object();
    Json success = {{"description", route.success == 204 ? "Done" : "The answer"}};
    if (route.success != 204) {
        Json schema = route.response_schema != nullptr ? public_schema(*route.response_schema)
                                                       : Json::object();
        success["content"] = {{"application/json", {{"schema", std::move(schema)}}}};
    }
    out[std::to_string(route.success)] = std::move(success);
    std::set<int> errors(route.errors.begin(), route.errors.end());
    if (!route.on_io_thread) {
        errors.insert({400, 401, 429, 500, 503});
    }
    if (route.guard == Guard::permission || route.guard == Guard::admin) {
        errors.insert(403);
    }
    if (route.path.find('{') != std::string_view::npos) {
        errors.insert(404);
    }
    if (route.body != BodyKind::none) {
        errors.insert({413, 415, 422});
    }
    if (!route.query.empty()) {
        errors.insert(422);
    }
    for (const int status : errors) {
        out[std::to_string(status)] = error_answer(describe(status));
    }
    return out;
}

Json security_of(const Route& route) {
    Json some = Json::array({{{"bearer", Json::array()}}, {{"apiKey", Json::array()}}});
    switch (route.guard) {
        case Guard::open:
            return Json::array();
        case Guard::admin:
        case Guard::loopback:
            some.push_back({{"adminKey", Json::array()}});
            return some;
        default:
            return some;
    }
}

/// "get_models_id": stable, and unique because method and path are.
std::string operation_id(const Route& route) {
    std::string out = to_lower(route.method);
    for (const char c : route.path) {
        const bool plain =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (plain) {
            out += c;
        } else if (out.back() != '_' && c != '}') {
            out += '_';
        }
    }
    return out;
}

std::string_view guard_name(Guard guard) {
    switch (guard) {
        case Guard::open:
            return "open";
        case Guard::caller:
            return "caller";
        case Guard::permission:
            return "permission";
        case Guard::admin:
            return "admin";
        case Guard::loopback:
            return "loopback";
        case Guard::undeclared:
            break;
    }
    return "undeclared";
}

Json operation(const Route& route) {
    Json out = Json::object();
    out["operationId"] = operation_id(route);
    out["summary"] = route.summary;
    out["tags"] = {route.tag};
    if (route.permission) {
        out["description"] =
            "Needs the permission `" + std::string(domain::scope_of(*route.permission)) + "`" +
            (route.or_scope.empty() ? "." : " or a key with `" + std::string(route.or_scope) + "`."
            );
    }
    // Of ours: what the table says of who may use it, for who checks or generates against it.
    out["x-guard"] = guard_name(route.guard);
    if (route.permission) {
        out["x-permission"] = to_string(*route.permission);
    }
    out["x-limit"] = route.limit == LimitClass::exempt  ? "exempt"
                     : route.limit == LimitClass::login ? "login"
                                                        : "normal";
    out["parameters"] = parameters_of(route);
    if (route.body != BodyKind::none) {
        const bool json = route.body == BodyKind::json;
        const Json* const shown = route.shown_request_schema != nullptr ? route.shown_request_schema
                                                                        : route.request_schema;
        Json schema = shown != nullptr ? public_schema(*shown) : Json::object();
        out["requestBody"] = {
            {"required", !route.body_optional},
            {"content",
             {{json ? "application/json" : "application/octet-stream",
               {{"schema", std::move(schema)}}}}},
        };
    }
    out["responses"] = answers_of(route);
    out["security"] = security_of(route);
    return out;
}

Json components() {
    const Json error = {
        {"type", "object"},
        {"required", {"error"}},
        {"properties",
         {{"error",
           {{"type", "object"},
            {"required", {"code", "message", "request_id"}},
            {"properties",
             {{"code", {{"type", "string"}}},
              {"message", {{"type", "string"}}},
              {"request_id", {{"type", "string"}}},
              {"details",
               {{"type", "array"},
                {"items",
                 {{"type", "object"},
                  {"properties",
                   {{"field", {{"type", "string"}}}, {"message", {{"type", "string"}}}}}}}}}}}}}}},
    };
    return {
        {"schemas", {{"Error", error}}},
        {"securitySchemes",
         {{"bearer", {{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "JWT"}}},
          {"apiKey", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-API-Key"}}},
          {"adminKey", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-Admin-Key"}}}}},
    };
}

constexpr std::string_view kPage = R"html(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>LLM Research Lab: API</title>
<link rel="stylesheet" href="docs.css">
</head>
<body>
<main>
<h1>LLM Research Lab: API</h1>
<p>Made from <a href="openapi.json">openapi.json</a>, which is made from the table of routes.</p>
@routes@
</main>
</body>
</html>
)html";

constexpr std::string_view kStyle = R"css(
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; color: #1c2024; background: #fff; }
main { max-width: 60rem; margin: 0 auto; padding: 1rem; }
h2 { margin-top: 2.5rem; border-bottom: 1px solid #d9dde1; }
details { border-bottom: 1px solid #eceff2; padding: .35rem 0; }
summary { cursor: pointer; display: flex; flex-wrap: wrap; gap: .25rem .75rem; }
code { font: 14px ui-monospace, monospace; overflow-wrap: anywhere; }
.method { min-width: 4.5rem; font-weight: 600; }
.what { color: #5c656e; }
dl { margin: .5rem 0 .75rem 1rem; }
dt { font-weight: 600; }
dd { margin: 0 0 .35rem 1rem; }
@media (prefers-color-scheme: dark) {
  body { background: #14171a; color: #e3e7ea; } a { color: #8ab8ff; }
  h2, details { border-color: #2a3036; } .what { color: #9aa4ad; }
}
)css";

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
    }
    return out;
}

void append_operation(
    std::string& out, const std::string& path, const std::string& method, const Json& op
) {
    out += "<details><summary><code class=\"method\">" + escaped(method) + "</code><code>" +
           escaped(path) + "</code><span class=\"what\">" + escaped(op.value("summary", "")) +
           "</span></summary><dl>";
    if (const std::string words = op.value("description", ""); !words.empty()) {
        out += "<dt>Access</dt><dd>" + escaped(words) + "</dd>";
    }
    for (const Json& parameter : op["parameters"]) {
        out += "<dt><code>" + escaped(parameter["name"].get<std::string>()) + "</code> (" +
               escaped(parameter["in"].get<std::string>()) + ")</dt><dd>" +
               escaped(parameter.value("description", "")) + "</dd>";
    }
    out += "<dt>Answers</dt><dd>";
    for (const auto& [status, answer] : op["responses"].items()) {
        out += "<code>" + escaped(status) + "</code> " + escaped(answer.value("description", "")) +
               "<br>";
    }
    out += "</dd></dl></details>";
}

std::string page_of(const Json& document) {
    std::vector<std::string> tags;
    for (const auto& [path, item] : document["paths"].items()) {
        for (const auto& [method, op] : item.items()) {
            const std::string tag = op["tags"][0].get<std::string>();
            if (std::ranges::find(tags, tag) == tags.end()) {
                tags.push_back(tag);
            }
        }
    }
    std::string routes;
    for (const std::string& tag : tags) {
        routes += "<h2>" + escaped(tag) + "</h2>";
        for (const auto& [path, item] : document["paths"].items()) {
            for (const auto& [method, op] : item.items()) {
                if (op["tags"][0] == tag) {
                    std::string upper = method;
                    std::ranges::transform(upper, upper.begin(), [](char c) {
                        return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
                    });
                    append_operation(routes, path, upper, op);
                }
            }
        }
    }
    std::string page(kPage);
    page.replace(page.find("@routes@"), 8, routes);
    return page;
}

Route page_route(std::string_view path, std::string_view summary, Handler handler) {
    Route out;
    out.method = "GET";
    out.path = path;
    out.summary = summary;
    out.tag = "Documentation";
    out.guard = Guard::open;
    out.limit = LimitClass::exempt;
    out.on_io_thread = true;
    out.handler = std::move(handler);
    return out;
}

}  // namespace

Json openapi_document(const std::vector<Route>& routes, std::string_view version) {
    Json out = Json::object();
    out["openapi"] = "3.1.0";
    out["info"] = {
        {"title", "LLM Research Lab"},
        {"version", version},
        {"description",
         "Which models, which prompts, which data, which metrics: experiments whose every call is "
         "accounted for and every figure has its uncertainty. All paths also answer under /v1."},
        {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
    };
    out["servers"] = Json::array({{{"url", "/"}}});
    Json& paths = out["paths"] = Json::object();
    for (const Route& route : routes) {
        paths[std::string(route.path)][to_lower(route.method)] = operation(route);
    }
    out["components"] = components();
    return out;
}

std::vector<Route> documentation_routes(std::function<const std::string&()> document) {
    std::vector<Route> out;
    out.push_back(page_route(
        "/openapi.json",
        "This API as OpenAPI 3.1",
        [document](Call&) -> Result<Reply> {
            Reply reply;
            reply.text = document();
            return reply;
        }
    ));
    out.push_back(page_route("/docs", "This API as a page", [document](Call&) -> Result<Reply> {
        LAB_TRY(const Json whole, parse_json(document()));
        Reply reply;
        reply.text = page_of(whole);
        reply.content_type = "text/html; charset=utf-8";
        return reply;
    }));
    out.push_back(page_route("/docs.css", "The style of that page", [](Call&) -> Result<Reply> {
        Reply reply;
        reply.text = kStyle;
        reply.content_type = "text/css; charset=utf-8";
        return reply;
    }));
    return out;
}

}  // namespace lab::api
