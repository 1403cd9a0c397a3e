#pragma once
#include "platform/crypto/signing_keys.h"
#include "service/signed_address.h"

#include <string>
#include <string_view>

/// Signed addresses of datasets: one dataset, one use.
namespace lab::service {

struct DatasetLink {
    enum class Use : std::uint8_t { upload, download };
    Use use = Use::upload;
    AddressHolder holder;
    std::string dataset_id;
    std::int64_t version = 0;  ///< download: of the rows
    // Of an upload, as it was announced.
    std::string content_type;
    std::int64_t bytes = 0;  ///< exactly so many; 0 = not said
    std::string format;
    std::string source;
    std::string label;
    std::string description;
    std::string changelog;
};

std::string sign_link(const DatasetLink& link, const SigningKeys& signing);
/// Errors: forbidden, as bad_address, unless the token was made by sign_link with these keys for
/// this use of this dataset and has not expired.
Result<DatasetLink> read_link(
    std::string_view token,
    DatasetLink::Use use,
    std::string_view dataset_id,
    WallTime now,
    const SigningKeys& signing
);
/// Whoever the link acts for, with the rights of its use and no others; see address_caller.
Caller link_caller(const DatasetLink& link, const Caller& bearer);

}  // namespace lab::service
