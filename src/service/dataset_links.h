#pragma once
#include "base/clock.h"
#include "base/result.h"
#include "service/caller.h"

#include <string>
#include <string_view>

/// Addresses that are their own credential for a while: one dataset, one use. The token of such an
/// address is what it allows, with a MAC (HMAC-SHA-256, 16 bytes, base64url).
namespace lab::service {

struct DatasetLink {
    enum class Use : std::uint8_t { upload, download };
    Use use = Use::upload;
    std::int64_t org = 1;
    std::string dataset_id;
    std::string user_id;  ///< on whose behalf
    bool is_admin = false;
    std::int64_t expires_at = 0;  ///< Unix seconds
    std::int64_t version = 0;     ///< download: of the rows
    // Of an upload, as it was announced.
    std::string content_type;
    std::int64_t bytes = 0;  ///< exactly so many; 0 = not said
    std::string format;
    std::string source;
    std::string label;
    std::string description;
    std::string changelog;
};

std::string sign_link(const DatasetLink& link, std::string_view key);
/// Errors: forbidden, always in the same words, unless the token was made by sign_link with this
/// key for this use of this dataset and has not expired.
Result<DatasetLink> read_link(
    std::string_view token,
    DatasetLink::Use use,
    std::string_view dataset_id,
    WallTime now,
    std::string_view key
);
/// Whoever the link acts for, with the rights of its use and no others. What does not come from the
/// link (addresses, request id) is of `bearer`.
Caller link_caller(const DatasetLink& link, const Caller& bearer);

}  // namespace lab::service
