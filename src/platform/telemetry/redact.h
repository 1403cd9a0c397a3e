#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace lab {

/// Stands where something was hidden.
inline constexpr std::string_view kRedacted = "[redacted]";

/// What a name says about its value.
enum class Secrecy : std::uint8_t {
    open,     ///< show it, after a look at the text
    numbers,  ///< a number is a count and shown, a text is hidden: `total_tokens`
    hidden,   ///< hide it whatever it is, except true, false and null
};

/// Names that contain password, secret, token, key, credential, authorization or cookie (in any
/// case, in snake_case, kebab-case or camelCase) hide their values, and so do a few others. Known
/// words around them make exceptions: key_prefix, key_id, token_type, cache_key, max_tokens.
Secrecy secrecy_of(std::string_view name);

/// `text` without what must not leave: values behind names that hide them (`name=value`,
/// `"name": "value"`, `Name: value`, `--name value`, `<name>value<`), bearer and basic credentials,
/// our API keys and those of providers, tokens of three parts, user and password in URLs, private
/// keys, e-mail addresses. Hides rather too much than too little. Linear in the length of `text`.
void append_redacted(std::string& out, std::string_view text);
std::string redact(std::string_view text);

/// Whether a text is of so few kinds of letters that nothing in it could be hidden or would have to
/// be escaped: paths of routes, ids, methods, plain words. false says nothing.
bool is_innocent(std::string_view text);

}  // namespace lab
