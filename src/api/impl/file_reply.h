#pragma once
#include "api/route.h"

#include <memory>

namespace lab::api {

/// A file as it is to be sent: its name in Content-Disposition, its hash as the ETag.
struct FileFace {
    std::string path;
    std::string name;  ///< plain ASCII without quotes
    std::string mime_type;
    std::string content_hash;
    std::int64_t bytes = 0;
};

/// Sends the file piece by piece, read on pool threads: whole (200), the part that one Range asks
/// for (206, RFC 9110 section 14; more than one range is answered with the whole), or nothing when
/// If-None-Match knows it already (304). Errors: not_found when the bytes are gone, io. A range
/// beyond the end is answered with 416.
Result<Reply> reply_file(const Call& call, FileFace face);

/// What a Range asks of `size` bytes. nullopt: all of it.
struct ByteRange {
    std::int64_t first = 0;
    std::int64_t last = -1;  ///< inclusive; before `first`: cannot be served
};
std::optional<ByteRange> parse_range(std::string_view header, std::int64_t size);

}  // namespace lab::api
