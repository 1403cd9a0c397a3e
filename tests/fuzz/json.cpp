#include "platform/json/json.h"

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "platform/json/document.h"
#include "platform/json/impl/locate_json.h"
#include "providers/impl/json_pull.h"

#include <nlohmann/json.hpp>

namespace {
using namespace lab;

constexpr JsonLimits kLimits{.bytes_max = 1U << 20, .keys_max = 256};

/// Every value has a place of its own behind that of the value around it.
void check_places(const SourceMap& map, const Json& value, const std::string& path, Mark around) {
    const Mark mark = map.locate(path);
    fuzz::require(mark.line > 0 && mark.column > 0, "every value has a place");
    fuzz::require(
        mark.line > around.line || (mark.line == around.line && mark.column >= around.column),
        "places go on"
    );
    if (value.is_array()) {
        for (std::size_t i = 0; i < value.size(); ++i) {
            check_places(map, value[i], path_index(path, i), mark);
        }
    }
}

/// The other reader of the house, for answers of models, takes and refuses the same.
void check_pull(std::string_view text, const Result<Json>& parsed) {
    // RFC 8259, section 8.1: who reads may leave it out.
    text.remove_prefix(text.starts_with("\xEF\xBB\xBF") ? 3 : 0);
    providers::JsonPull pull(text);
    pull.skip();
    const bool taken = pull.finish();
    fuzz::require(pull.position() <= text.size(), "a mistake is in the text");
    if (parsed) {
        fuzz::require(taken, "two readers take the same");
        if (parsed->is_string()) {
            providers::JsonPull string(text);
            fuzz::require(string.string() == parsed->get<std::string>(), "texts have one reading");
        } else if (parsed->is_number_integer()) {
            providers::JsonPull number(text);
            const auto value = number.integer();
            fuzz::require(!value || Json(*value) == *parsed, "numbers have one reading");
        }
    } else if (taken && parsed.error().code == Code::bad_request && is_utf8(text)) {
        // Those that are no mistakes of grammar: repeated members, halves of surrogate pairs,
        // numbers that no double holds.
        const std::string_view why = parsed.error().message;
        fuzz::require(
            why.contains("is repeated") || why.contains("surrogate") || why.contains("range") ||
                why.contains("number overflow"),
            "two readers refuse the same"
        );
    }
}
}  // namespace

// What parses is written so that it parses to the same value.
FUZZ_TARGET(json) {
    const auto parsed = parse_json(input, kLimits);
    check_pull(input, parsed);
    if (!parsed) {
        fuzz::require(is_utf8(parsed.error().message), "a message is UTF-8");
        return;
    }
    fuzz::require(is_utf8(input), "JSON is UTF-8");
    const std::string written = dump_json(*parsed);
    const auto again = parse_json(written);
    fuzz::require(again && *again == *parsed, "what is written reads back");
    fuzz::require(dump_json(*again) == written, "writing changes nothing");
    const auto pretty = parse_json(dump_json_pretty(*parsed));
    fuzz::require(pretty && *pretty == *parsed, "what is written for people reads back");
    const std::string canonical = canonical_json(*parsed);
    const auto sorted = parse_json(canonical);
    fuzz::require(sorted && canonical_json(*sorted) == canonical, "one text for hashes");
    check_places(locate_json(input), *parsed, "", {});
}
