#include "base/text.h"
#include "domain/spec_parse.h"
#include "fuzz/fuzz.h"
#include "platform/json/document.h"
#include "support/vocabulary.h"

#include <nlohmann/json.hpp>

// An experiment file: refused with places, or understood; JSON is read as the JSON reader does.
FUZZ_TARGET(experiment_yaml) {
    using namespace lab;
    static const auto kVocabulary = test::small_vocabulary();
    constexpr JsonLimits kLimits{.bytes_max = 1U << 18, .depth_max = 32, .keys_max = 256};
    const auto document = parse_yaml(input, kLimits);
    if (!document) {
        fuzz::require(is_utf8(document.error().message), "a message is UTF-8");
        return;
    }
    fuzz::require(is_utf8(input), "YAML is UTF-8");
    const auto again = parse_yaml(dump_json(document->value), kLimits);
    fuzz::require(!again || again->value == document->value, "what is written reads back");
    if (const auto json = parse_json(input, kLimits); json && json->is_structured()) {
        fuzz::require(*json == document->value, "JSON has one reading");
    }
    const auto spec = domain::parse_spec(document->value, kVocabulary);
    if (!spec) {
        const auto problems = describe_problems(spec.error(), document->map, "f");
        fuzz::require(!problems.empty(), "a refusal says why");
        for (const std::string& problem : problems) {
            fuzz::require(problem.starts_with("f:"), "a refusal says where");
        }
    }
}
