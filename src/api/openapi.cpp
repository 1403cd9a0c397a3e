#include "api/openapi.h"

#include "api/accept.h"
#include "api/components.h"
#include "base/text.h"
#include "service/nouns.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <set>

namespace lab::api {
namespace {

constexpr std::string_view kSchemas = "#/components/schemas/";
constexpr std::string_view kPageOf = "Page of ";

Json schema_ref(std::string_view name) {
    return {{"$ref", std::string(kSchemas) + std::string(name)}};
}

bool all_strings(const Json& values) {
    return std::ranges::all_of(values, [](const Json& one) { return one.is_string(); });
}

/// Schemas of ours without what only our own checker reads; what is a component refers to it.
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
    if (schema == answer_schemas()["ExperimentConfig"]) {
        return schema_ref("ExperimentConfig");
    }
    Json out = Json::object();
    for (const auto& [name, value] : schema.items()) {
        if (name != "x-hint" && name != "x-noun" && name != "x-reference") {
            out[name] = public_schema(value);
        }
    }
    if (out.contains("enum") && !out.contains("type") && all_strings(out["enum"])) {
        out["type"] = "string";
    }
    return out;
}

/// The pattern of one or more words between commas.
std::string words_pattern(const std::string& word) { return "^(" + word + ")(,(" + word + "))*$"; }

Json parameter_schema(const QueryParameter& parameter) {
    const std::string_view type = parameter.type;
    if (type == "uuid") {
        return {{"type", "string"}, {"format", "uuid"}};
    }
    if (type == "time") {
        return {{"type", "string"}, {"format", "date-time"}};
    }
    if (type == "tags") {
        return {{"type", "string"}, {"pattern", words_pattern("[A-Za-z0-9_.:-]{1,64}")}};
    }
    if (type == "uuids") {
        const std::string uuid =
            "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}";
        return {{"type", "string"}, {"pattern", words_pattern(uuid)}};
    }
    if (type == "integer") {
        return {{"type", type}, {"minimum", parameter.least}, {"maximum", parameter.most}};
    }
    if (type == "words") {
        std::string any;
        for (const std::string_view value : parameter.values) {
            any += (any.empty() ? "" : "|") + std::string(value);
        }
        return {{"type", "string"}, {"pattern", words_pattern(any)}};
    }
    if (type == "label") {
        return {{"type", "string"}, {"pattern", "^[A-Za-z0-9_][A-Za-z0-9_.+:-]{0,63}$"}};
    }
    Json out = {{"type", type}};
    if (!parameter.values.empty()) {
        out["enum"] = parameter.values;
    } else if (type == "string") {
        out["pattern"] = "^[^\\x00-\\x1f\\x7f]*$";  // as percent_decode
    }
    return out;
}

/// Headers that a route reads beside its credential.
void add_header_parameters(const Route& route, Json& out) {
    const auto add = [&](std::string_view name, std::string_view help, std::string_view pattern) {
        out.push_back({
            {"name", name},
            {"in", "header"},
            {"required", false},
            {"description", help},
            {"schema", {{"type", "string"}, {"pattern", pattern}}},
        });
    };
    if (route.method == "POST" && route.guard == Guard::permission) {
        add("Idempotency-Key",
            "With the same key the same request gets the first answer again, for a day",
            "^[!-~]([ -~]{0,253}[!-~])?$");
    }
    if (std::ranges::find(route.errors, 412) != route.errors.end()) {
        add("If-Match", "Only if this is still its ETag", "^([*]|(W/)?\"[!#-~]*\"|[0-9]{1,18})$");
    }
    if (route.answer == "text/event-stream") {
        add("Last-Event-ID", "Goes on behind this event", "^[0-9]{1,18}$");
    }
}

Json parameters_of(const Route& route) {
    Json out = Json::array();
    std::string_view rest = route.path;
    while (rest.find('{') != std::string_view::npos) {
        rest.remove_prefix(rest.find('{') + 1);
        const std::string_view name = rest.substr(0, rest.find('}'));
        const auto& plain = route.plain_path_values;
        const bool is_plain = std::ranges::find(plain, name) != plain.end();
        Json schema = {{"type", "string"}};
        if (is_plain) {
            schema["pattern"] = "^[^\\x00-\\x1f\\x7f]+$";
        } else {
            schema["format"] = "uuid";
        }
        out.push_back(
            {{"name", name}, {"in", "path"}, {"required", true}, {"schema", std::move(schema)}}
        );
    }
    for (const QueryParameter& parameter : route.query) {
        out.push_back({
            {"name", parameter.name},
            {"in", "query"},
            {"required", parameter.required},
            {"description", parameter.help},
            {"schema", parameter_schema(parameter)},
        });
    }
    add_header_parameters(route, out);
    return out;
}

struct ErrorAnswer {
    int status;
    std::string_view name;
    std::string_view description;
};
constexpr ErrorAnswer kErrors[] = {
    {400, "BadRequest", "It cannot be understood, or not in this state"},
    {401, "Unauthorized", "No good credential"},
    {403, "Forbidden", "A good credential without the right"},
    {404, "NotFound", "There is no such thing, or it is not for the caller's eyes"},
    {405, "MethodNotAllowed", "The path takes other methods; Allow says which"},
    {406, "NotAcceptable", "There is no answer of a type that Accept takes"},
    {408, "RequestTimeout", "The request did not arrive in time"},
    {409, "Conflict", "It is there already, or something refers to it"},
    {412, "PreconditionFailed", "It was changed since"},
    {413, "PayloadTooLarge", "The body is too large"},
    {414, "UriTooLong", "The target of the request is too long"},
    {415, "UnsupportedMediaType", "The body is not of a type that is taken"},
    {422, "ValidationError", "Understood and refused: details say which members and why"},
    {429, "RateLimitExceeded", "Too many requests"},
    {500, "InternalError", "Something broke on our side"},
    {502, "UpstreamError", "A provider or store failed"},
    {503, "ServiceUnavailable", "Not now: overloaded, in maintenance or without its database"},
    {504, "UpstreamTimeout", "A provider or store did not answer in time"},
};

Json header(std::string_view type, std::string_view description) {
    return {{"description", description}, {"schema", {{"type", type}}}};
}

/// #/components/responses: an error each.
Json error_answers() {
    Json out = Json::object();
    for (const ErrorAnswer& one : kErrors) {
        Json headers = {{"X-Request-ID", {{"$ref", "#/components/headers/X-Request-ID"}}}};
        if (one.status == 401) {
            headers["WWW-Authenticate"] = header("string", "How to log in");
        }
        if (one.status == 405) {
            headers["Allow"] = header("string", "Methods of the path");
        }
        if (one.status == 429 || one.status == 503) {
            headers["Retry-After"] = header("integer", "Seconds to wait");
        }
        out[std::string(one.name)] = {
            {"description", one.description},
            {"headers", std::move(headers)},
            {"content", {{"application/json", {{"schema", schema_ref("Error")}}}}},
        };
    }
    return out;
}

std::set<int> errors_of(const Route& route) {
    std::set<int> errors(route.errors.begin(), route.errors.end());
    if (!route.on_io_thread) {
        errors.insert({400, 401, 429, 500, 503});
    }
    if (route.guard == Guard::permission || route.guard == Guard::admin ||
        route.guard == Guard::loopback) {
        errors.insert(403);
    }
    if (route.path.find('{') != std::string_view::npos) {
        errors.insert(404);
    }
    if (has_known_types(route)) {
        errors.insert(406);
    }
    if (route.body != BodyKind::none) {
        errors.insert({408, 413, 415, 422});
    }
    if (!route.query.empty()) {
        errors.insert({414, 422});
    }
    if (route.method == "POST" && route.guard == Guard::permission) {
        errors.insert(409);  // the same Idempotency-Key with another request
    }
    return errors;
}

/// Whether `other` is a path that requests of `path` may have, because a value of a parameter is a
/// segment of it: "/artifacts/content" is one of "/artifacts/{artifact}".
bool hides(std::string_view other, std::string_view path) {
    while (!other.empty() && !path.empty()) {
        const std::string_view ours = path.substr(0, path.find('/'));
        const std::string_view theirs = other.substr(0, other.find('/'));
        if (ours != theirs && (!ours.starts_with('{') || theirs.starts_with('{'))) {
            return false;
        }
        path.remove_prefix(std::min(ours.size() + 1, path.size()));
        other.remove_prefix(std::min(theirs.size() + 1, other.size()));
    }
    return other.empty() && path.empty();
}

/// "createModel" -> "CreateModel"
std::string capital(std::string_view id) {
    std::string out(id);
    if (!out.empty() && out[0] >= 'a' && out[0] <= 'z') {
        out[0] = static_cast<char>(out[0] - 'a' + 'A');
    }
    return out;
}

/// Of a route without a name of its own: "get_models_id", unique because method and path are.
std::string operation_id(const Route& route) {
    if (!route.id.empty()) {
        return std::string(route.id);
    }
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

/// Builds the document; schemas of requests and answers get names of their own.
class Document {
  public:
    explicit Document(const std::vector<Route>& routes) : routes_(routes) {
        for (const auto& [name, schema] : answer_schemas().items()) {
            // Its own schema would be a reference to itself.
            Json& out = schemas_[name] = Json::object();
            for (const auto& [key, value] : schema.items()) {
                out[key] = public_schema(value);
            }
        }
    }

    Json paths() {
        Json out = Json::object();
        for (const Route& route : routes_) {
            out[std::string(route.path)][to_lower(route.method)] = operation(route);
        }
        return out;
    }

    Json components() {
        const Json request_id = {
            {"description", "Names the request in logs and errors; the one that was sent, if any"},
            {"required", true},
            {"schema", {{"type", "string"}, {"minLength", 1}, {"maxLength", 128}}},
        };
        return {
            {"schemas", schemas_},
            {"responses", error_answers()},
            {"headers", {{"X-Request-ID", request_id}}},
            {"securitySchemes",
             {{"bearer", {{"type", "http"}, {"scheme", "bearer"}, {"bearerFormat", "JWT"}}},
              {"apiKey", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-API-Key"}}},
              {"authorizationApiKey",
               {{"type", "http"},
                {"scheme", "ApiKey"},
                {"description", "The same key as `Authorization: ApiKey <key>`"}}},
              {"adminKey", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-Admin-Key"}}}}},
        };
    }

  private:
    /// A page of a component, and its rows as `fields` shortens them.
    std::string page_component(std::string_view row) {
        const std::string name(row);
        std::string page = name + "Page";
        if (!schemas_.contains(page)) {
            Json some = schemas_[name];
            some.erase("required");
            some["description"] = "The members that `fields` asked for";
            schemas_[name + "Fields"] = std::move(some);
            Json rows = Json::array({schema_ref(name), schema_ref(name + "Fields")});
            schemas_[page] = {
                {"type", "object"},
                {"properties",
                 {{"data", {{"type", "array"}, {"items", {{"anyOf", std::move(rows)}}}}},
                  {"pagination", schema_ref("Pagination")},
                  {"meta", schema_ref("PageMeta")},
                  {"links", schema_ref("PageLinks")},
                  {"page_info", schema_ref("PageInfo")}}},
                {"required", {"data", "pagination", "meta", "links", "page_info"}},
                {"additionalProperties", false},
            };
        }
        return page;
    }

    /// Puts a schema among the components, under the first name it was needed for.
    Json named(const Json& schema, const std::string& name) {
        Json shown = public_schema(schema);
        for (const auto& [other, known] : schemas_.items()) {
            if (known == shown) {
                return schema_ref(other);
            }
        }
        schemas_[name] = std::move(shown);
        return schema_ref(name);
    }

    /// The content of a success, by media type.
    Json content_of(const Route& route) {
        Json out = Json::object();
        std::string_view rest = route.answer;
        if (rest.starts_with(kPageOf)) {
            rest.remove_prefix(kPageOf.size());
            const std::string_view row = rest.substr(0, rest.find(' '));
            rest.remove_prefix(std::min(rest.size(), row.size() + 1));
            out["application/json"]["schema"] = schema_ref(page_component(row));
        }
        while (!rest.empty()) {
            const std::size_t space = rest.find(' ');
            const std::string_view word = rest.substr(0, space);
            rest.remove_prefix(space == std::string_view::npos ? rest.size() : space + 1);
            if (word.find('/') != std::string_view::npos) {
                // Events are told apart by readers of the stream, not as one text. YAML is data.
                const bool is_data = word == "application/json" || word == "application/yaml";
                out[std::string(word)]["schema"] = is_data ? Json{{"type", "object"}}
                                                   : word == "text/event-stream"
                                                       ? Json::object()
                                                       : Json{{"type", "string"}};
            } else if (word.starts_with('[')) {
                out["application/json"]["schema"] = {
                    {"type", "array"}, {"items", schema_ref(word.substr(1, word.size() - 2))}
                };
            } else if (route.takes_batch) {
                out["application/json"]["schema"] = {
                    {"anyOf",
                     Json::array(
                         {schema_ref(word), Json{{"type", "array"}, {"items", schema_ref(word)}}}
                     )}
                };
            } else {
                out["application/json"]["schema"] = schema_ref(word);
            }
        }
        if (out.empty()) {
            out["application/json"]["schema"] =
                route.response_schema != nullptr
                    ? named(*route.response_schema, capital(operation_id(route)) + "Response")
                    : Json::object();
        }
        if (std::ranges::find(route.query, "cursor", &QueryParameter::name) != route.query.end() &&
            std::ranges::find(route.query, "format", &QueryParameter::name) != route.query.end()) {
            out["application/x-ndjson"]["schema"] = {{"type", "string"}};  // a list that exports
        }
        return out;
    }

    /// Where an answer leads: what has the path of this one and an id behind it.
    Json links_of(const Route& route) {
        Json out = Json::object();
        const std::string below = std::string(route.path) + "/{";
        for (const Route& other : routes_) {
            if (!other.path.starts_with(below)) {
                continue;
            }
            const std::size_t end = other.path.find('}', below.size());
            if (other.path.find('{', end) != std::string_view::npos) {
                continue;  // needs another id
            }
            Json values = Json::object();
            const Json parameters = parameters_of(route);
            for (const Json& one : parameters) {
                const std::string name = one["name"].get<std::string>();
                if (one["in"] == "path") {
                    values[name] = "$request.path." + name;
                }
            }
            values[std::string(other.path.substr(below.size(), end - below.size()))] =
                "$response.body#/id";
            const std::string id = operation_id(other);
            out[id] = {{"operationId", id}, {"parameters", std::move(values)}};
        }
        return out;
    }

    Json success_of(const Route& route) {
        Json out = {{"description", route.success == 204 ? "Done" : "The answer"}};
        out["headers"]["X-Request-ID"] = {{"$ref", "#/components/headers/X-Request-ID"}};
        if (route.success == 204) {
            return out;
        }
        if (route.success == 302) {
            out["description"] = "Elsewhere";
            out["headers"]["Location"] = header("string", "Where");
            return out;
        }
        if (std::ranges::find(route.errors, 412) != route.errors.end()) {
            out["headers"]["ETag"] = header("string", "For If-Match");
        }
        out["content"] = content_of(route);
        if (route.method == "POST" && route.success == 201) {
            if (Json links = links_of(route); !links.empty()) {
                out["links"] = std::move(links);
            }
        }
        return out;
    }

    /// A path without parameters goes before one with them, for every method.
    bool meets_wrong_method(const Route& route) const {
        const auto has_route = [&](std::string_view path) {
            return std::ranges::any_of(routes_, [&](const Route& one) {
                return one.path == path && one.method == route.method;
            });
        };
        return std::ranges::any_of(routes_, [&](const Route& other) {
            return other.path != route.path && hides(other.path, route.path) &&
                   !has_route(other.path);
        });
    }

    Json answers_of(const Route& route) {
        Json out = Json::object();
        out[std::to_string(route.success)] = success_of(route);
        if (route.also_success != 0) {
            out[std::to_string(route.also_success)] = success_of(route);
        }
        std::set<int> errors = errors_of(route);
        if (meets_wrong_method(route)) {
            errors.insert(405);
        }
        for (const int status : errors) {
            const auto* const error = std::ranges::find(kErrors, status, &ErrorAnswer::status);
            const std::string_view name =
                error == std::end(kErrors) ? "InternalError" : error->name;
            out[std::to_string(status)] = {{"$ref", "#/components/responses/" + std::string(name)}};
        }
        if (route.tag == "Health" && route.answer.find('/') == std::string_view::npos &&
            route.on_io_thread) {
            out["503"] = success_of(route);  // the same words, and not healthy
        }
        return out;
    }

    static Json security_of(const Route& route) {
        Json some = Json::array();
        if (route.guard == Guard::open || route.guard == Guard::loopback) {
            some.push_back(Json::object());  // none; one that is given must be good all the same
        }
        if (route.on_io_thread || route.limit == LimitClass::login) {
            return Json::array();
        }
        for (const char* scheme : {"bearer", "apiKey", "authorizationApiKey"}) {
            some.push_back({{scheme, Json::array()}});
        }
        if (route.guard == Guard::admin || route.guard == Guard::loopback) {
            some.push_back({{"adminKey", Json::array()}});
        }
        return some;
    }

    Json request_body(const Route& route) {
        const bool json = route.body == BodyKind::json;
        const Json* const schema = route.shown_request_schema != nullptr
                                       ? route.shown_request_schema
                                       : route.request_schema;
        Json content = Json::object();
        if (json) {
            content["schema"] = schema != nullptr
                                    ? named(*schema, capital(operation_id(route)) + "Request")
                                    : Json::object();
            if (route.takes_batch) {
                Json one = content["schema"];
                Json many = service::batch_schema(one);
                content["schema"] = {{"oneOf", Json::array({std::move(one), std::move(many)})}};
            }
        } else {
            content["schema"] = Json::object();  // bytes
        }
        if (!route.example.empty()) {
            if (auto example = parse_json(route.example)) {
                content["example"] = *std::move(example);
            }
        }
        return {
            {"required", !route.body_optional},
            {"content", {{json ? "application/json" : "application/octet-stream", content}}},
        };
    }

    Json operation(const Route& route) {
        Json out = Json::object();
        out["operationId"] = operation_id(route);
        out["summary"] = route.summary;
        out["tags"] = {route.tag};
        if (route.permission) {
            out["description"] =
                "Needs the permission `" + std::string(domain::scope_of(*route.permission)) + "`" +
                (route.or_scope.empty() ? "."
                                        : " or a key with `" + std::string(route.or_scope) + "`.");
        }
        // Of ours: what the table says of who may use it, for who checks or generates against it.
        out["x-guard"] = guard_name(route.guard);
        if (route.permission) {
            out["x-permission"] = to_string(*route.permission);
        }
        if (!route.or_scope.empty()) {
            out["x-or-scope"] = route.or_scope;
        }
        out["x-limit"] = route.limit == LimitClass::exempt  ? "exempt"
                         : route.limit == LimitClass::login ? "login"
                                                            : "normal";
        out["parameters"] = parameters_of(route);
        if (route.body != BodyKind::none) {
            out["requestBody"] = request_body(route);
        }
        out["responses"] = answers_of(route);
        out["security"] = security_of(route);
        return out;
    }

    const std::vector<Route>& routes_;
    Json schemas_ = Json::object();
};

}  // namespace

Json openapi_document(const std::vector<Route>& routes, std::string_view version) {
    Json out = Json::object();
    out["openapi"] = "3.1.0";
    out["info"] = {
        {"title", "LLM Research Lab"},
        {"version", version},
        {"description",
         "Which models, which prompts, which data, which metrics: experiments whose every call is "
         "accounted for and every figure has its uncertainty. All paths also answer under /v1. "
         "Later versions may add members to answers: readers skip those they do not know."},
        {"license", {{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
    };
    out["servers"] = Json::array({{{"url", "/"}}});
    Document document(routes);
    out["paths"] = document.paths();
    out["components"] = document.components();
    return out;
}

}  // namespace lab::api
