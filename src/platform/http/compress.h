#pragma once
#include "base/result.h"

#include <optional>
#include <string>
#include <string_view>

namespace lab::http {

/// Content codings for answers (RFC 9110, 8.4.1; RFC 8878; RFC 7932).
enum class Coding : std::uint8_t { zstd, brotli, gzip };
/// "zstd", "br", "gzip"
std::string_view to_string(Coding coding);

/// The coding to answer with, by the client's Accept-Encoding: the one with the greatest weight, of
/// equals the first of the enumeration; nullopt when it takes none of them.
/// Source: RFC 9110, 12.5.3.
std::optional<Coding> choose_coding(std::string_view accept_encoding);

/// False for what is compressed already: images, audio, video, archives, PDF.
bool is_compressible(std::string_view content_type);

/// Level 6 for gzip, 5 for brotli, 3 for zstd: about the same time for a few kilobytes of JSON.
/// Errors: internal when the library refuses.
Result<std::string> compress(Coding coding, std::string_view bytes);
/// For much that is sent once, such as rows for a store: level 1 of each. Errors: as compress().
Result<std::string> compress_quickly(Coding coding, std::string_view bytes);

}  // namespace lab::http
