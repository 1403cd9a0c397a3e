#pragma once
#include "domain/spec_parse.h"

namespace lab::test {

/// A few scorers and providers in the shape of the real ones, for rooms that cannot see those.
inline domain::SpecVocabulary small_vocabulary() {
    const auto flag = [](const char* text) {
        return Json{{"type", "boolean"}, {"default", false}, {"description", text}};
    };
    const auto options = [](Json properties, std::vector<std::string> required = {}) {
        Json schema = {{"type", "object"}, {"additionalProperties", false}};
        schema["properties"] = std::move(properties);
        if (!required.empty()) {
            schema["required"] = std::move(required);
        }
        return schema;
    };
    domain::SpecVocabulary out;
    out.scorers.emplace_back(
        "exact_match",
        options(
            {{"ignore_case", flag("Upper and lower case are the same.")}, {"trim", flag("Trim.")}}
        )
    );
    Json regex = options({{"pattern", {{"type", "string"}, {"description", "RE2."}}}}, {"pattern"});
    regex["x-reference"] = "none";
    out.scorers.emplace_back("regex", std::move(regex));
    out.scorers.emplace_back("bleu", options({{"lowercase", flag("Lower-case both sides.")}}));
    const Json step = options(
        {{"after", {{"type", "string"}}},
         {"regex", {{"type", "string"}}},
         {"group", {{"type", "integer"}}},
         {"trim", {{"type", "boolean"}}}}
    );
    out.extract_schema = {{"oneOf", {step, {{"type", "array"}, {"items", step}}}}};
    out.providers = {"openai", "anthropic", "google", "azure", "replay"};
    return out;
}

}  // namespace lab::test
