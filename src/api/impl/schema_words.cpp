#include "api/impl/schema_words.h"

namespace lab::api {

Json typed(std::string_view type) { return {{"type", type}}; }
Json text() { return typed("string"); }
Json uuid() { return {{"type", "string"}, {"format", "uuid"}}; }
Json time() { return {{"type", "string"}, {"format", "date-time"}}; }
Json count() { return {{"type", "integer"}, {"minimum", 0}}; }
Json number() { return typed("number"); }
Json boolean() { return typed("boolean"); }
Json money() { return {{"type", "string"}, {"pattern", "^-?[0-9]+(\\.[0-9]{1,12})?$"}}; }
Json anything() { return Json::object(); }
Json list_of(Json items) { return {{"type", "array"}, {"items", std::move(items)}}; }
Json map_of(Json values) {
    return {{"type", "object"}, {"additionalProperties", std::move(values)}};
}
Json free_object() { return {{"type", "object"}, {"additionalProperties", true}}; }
Json schema_ref(std::string_view name) {
    return {{"$ref", "#/components/schemas/" + std::string(name)}};
}
Json word(Names words) {
    Json all = Json::array();
    for (const std::string_view one : words) {
        all.push_back(one);
    }
    return {{"type", "string"}, {"enum", std::move(all)}};
}
Json or_null(Json schema) {
    if (schema.contains("type") && schema["type"].is_string()) {
        schema["type"] = Json::array({schema["type"], "null"});
        if (schema.contains("enum")) {
            schema["enum"].push_back(nullptr);
        }
        return schema;
    }
    return {{"anyOf", Json::array({std::move(schema), typed("null")})}};
}

Json object(const Members& always, const Members& sometimes) {
    Json properties = Json::object();
    Json required = Json::array();
    for (const auto& [name, schema] : always) {
        properties[std::string(name)] = schema;
        required.push_back(name);
    }
    for (const auto& [name, schema] : sometimes) {
        properties[std::string(name)] = schema;
    }
    return {
        {"type", "object"},
        {"properties", std::move(properties)},
        {"required", std::move(required)},
        {"additionalProperties", false},
    };
}

}  // namespace lab::api
