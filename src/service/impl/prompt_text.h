#pragma once
#include "base/result.h"
#include "platform/json/json.h"

#include <optional>
#include <string>
#include <vector>

/// The texts of a prompt and the variables in them. `body`: {template, system_prompt?, variables?,
/// default_values?} that fits the schema.
namespace lab::service {

/// Names become {"name": ...}. Reports names that are declared twice and default values of another
/// type than declared, as "variables[1]...".
Json normal_declarations(const Json& variables, std::vector<Detail>& problems);

/// Reports what is wrong with the templates, and default values of another type than declared.
void check_prompt_text(const Json& body, std::vector<Detail>& problems);

/// The declared variables, then the others of the texts in the order they occur, each {name, type,
/// required, description?, default_value?}.
Json all_variables(const Json& body);

struct RenderedPrompt {
    std::string text;
    std::optional<std::string> system_prompt;
};
/// Errors: validation with every variable that has no value or one of the wrong type;
/// payload_too_large.
Result<RenderedPrompt> render_text(const Json& body, const Json& values);

/// {valid, errors, warnings, detected_variables}
Json inspect_prompt_text(const Json& body);

/// One for four characters: what English text comes to with the tokenizers in use.
std::int64_t estimate_tokens(std::string_view text);

}  // namespace lab::service
