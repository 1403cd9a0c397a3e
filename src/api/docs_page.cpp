// The document as a page that a browser shows without anything from elsewhere.
#include "api/openapi.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::api {
namespace {

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

/// What an answer is called; those that all routes have stand among the components.
std::string description_of(const Json& document, const Json& answer) {
    const std::string name = answer.value("$ref", "");
    if (name.empty()) {
        return answer.value("description", "");
    }
    const Json& all = document["components"]["responses"];
    return all[name.substr(name.rfind('/') + 1)].value("description", "");
}

void append_operation(
    std::string& out,
    const Json& document,
    const std::string& path,
    const std::string& method,
    const Json& op
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
        out += "<code>" + escaped(status) + "</code> " + escaped(description_of(document, answer)) +
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
                    append_operation(routes, document, path, upper, op);
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
