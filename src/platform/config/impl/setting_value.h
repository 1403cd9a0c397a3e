#pragma once
#include <chrono>
#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

// Values of settings from text. A problem says what was expected, never what was there.
namespace lab::config {

template <class T>
using Parsed = std::expected<T, std::string>;

Parsed<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max);
/// 0 to 1.
Parsed<double> parse_ratio(std::string_view text);
/// "500ms", "30s", "5m", "2h", "7d", or whole seconds. Bounds in milliseconds.
Parsed<std::chrono::milliseconds> parse_duration(
    std::string_view text, std::int64_t min, std::int64_t max
);
/// Bytes, or with KiB, MiB, GiB.
Parsed<std::int64_t> parse_size(std::string_view text, std::int64_t min, std::int64_t max);
/// true, false, 1, 0, in any case.
Parsed<bool> parse_boolean(std::string_view text);
/// Separated by commas; blanks around the items and empty items go. At most 256.
Parsed<std::vector<std::string>> parse_list(std::string_view text);

/// The word as it stands in `words` ("a|b|c"), found in any case.
Parsed<std::string> parse_choice(std::string_view text, std::string_view words);
/// scheme://host...; `schemes` as in parse_choice. A user and a password are allowed only where the
/// whole is a secret.
Parsed<std::string> parse_url(std::string_view text, std::string_view schemes, bool secret);
Parsed<std::string> parse_arn(std::string_view text);

// Further rules of single settings: what is wrong, or nothing.

std::string check_host(std::string_view text);         ///< an address or a name
std::string check_object_name(std::string_view text);  ///< of Kubernetes: RFC 1123, a subdomain
std::string check_host_port(std::string_view text);    ///< the same with or without :port
std::string check_origin(std::string_view text);       ///< https://host[:port] and nothing more
std::string check_network(std::string_view text);      ///< an address, or a network as a.b.c.d/n
std::string check_log_filter(std::string_view text);   ///< level,target=level,...
std::string check_host_rule(std::string_view text);    ///< check_host_port, or *.suffix of it
std::string check_bucket(std::string_view text);
std::string check_header_text(std::string_view text);  ///< visible ASCII: it arrives in headers

/// "1 s", "5 min", "7 d": for messages and documentation.
std::string describe_duration(std::int64_t milliseconds);
std::string describe_size(std::int64_t bytes);

}  // namespace lab::config
