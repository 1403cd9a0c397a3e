#pragma once
#include "service/nouns.h"

/// Prompt templates of the service: text with {{names}} that people share, in versions.
namespace lab::service {

/// Its versions grow by one whenever template, system prompt, variables or default values change;
/// every version stays. `variables` are shown as declarations, first the declared ones, then every
/// other name in the texts, which is required text.
const Noun& prompt_noun();

/// JSON Schema of the body of add_prompt_version, render_prompt and validate_prompt.
const Json& prompt_version_schema();
const Json& render_schema();
const Json& validate_prompt_schema();

/// A new version, also when nothing but the changelog is new. What is not given stays. As it is
/// shown. Errors: those of update_noun.
Result<Json> add_prompt_version(const Request& request, const std::string& id, const Json& body);
/// `version`: an id, or a number. Errors: not_found.
Result<Json> get_prompt_version(
    const Request& request, const std::string& id, const std::string& version
);
struct PromptVersionList {
    std::vector<Json> rows;  ///< newest first
    storage::RowCount total;
    bool more = false;
    std::int64_t last = 0;  ///< number of the last row
};
/// `before`: those with a smaller number.
Result<PromptVersionList> list_prompt_versions(
    const Request& request,
    const std::string& id,
    std::optional<std::int64_t> before,
    std::int64_t limit,
    std::int64_t offset
);

/// {rendered, rendered_template (the same), rendered_system_prompt, token_count, version}: the text
/// with `variables` in it. Values go before the prompt's default values, those before the ones in
/// declarations; a variable that is not required and has none is empty. token_count is an estimate,
/// one token for four characters. Errors: validation with every variable that is missing or of
/// another type than declared; not_found (prompt, `version_id`, `version`).
Result<Json> render_prompt(const Request& request, const std::string& id, const Json& body);

/// {valid, errors, warnings, detected_variables}; errors and warnings are {message, line, column,
/// part}, part being template or system_prompt. Errors: forbidden.
Result<Json> validate_prompt(const Request& request, const Json& body);

}  // namespace lab::service
