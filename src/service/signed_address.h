#pragma once
#include "base/clock.h"
#include "base/result.h"
#include "domain/access.h"
#include "platform/crypto/signing_keys.h"
#include "platform/json/json.h"
#include "service/caller.h"

#include <initializer_list>
#include <string>
#include <string_view>

/// Addresses that are their own credential for a while, as those of S3: the token of one is what it
/// allows, with a MAC (HMAC-SHA-256, 16 bytes, base64url) over that and over what kind it is, so
/// that none serves as another. The same keys sign cursors, which are a kind of their own.
namespace lab::service {

/// On whose behalf, and until when; every kind of address says it.
struct AddressHolder {
    std::int64_t org = 1;
    std::string user_id;
    bool is_admin = false;
    std::int64_t expires_at = 0;  ///< Unix seconds
};

/// Who asks for an address; without its end.
AddressHolder address_holder(const Caller& caller);

/// The token of an address of this kind ("dataset link"). `parts`: what else it says.
std::string sign_address(
    std::string_view kind, const AddressHolder& holder, Json parts, const SigningKeys& signing
);

/// What a token says, its holder read into `holder`. Errors: forbidden, as bad_address, unless
/// sign_address made it with this kind and these keys and it has not expired.
Result<Json> read_address(
    std::string_view kind,
    std::string_view token,
    WallTime now,
    const SigningKeys& signing,
    AddressHolder& holder
);

/// The one answer to an address that does not serve, whatever the reason: 403, as S3 says it.
/// Logging in would not help.
Error bad_address();

/// Whoever the address acts for, with these rights and no others. What does not come from the
/// address (IP, user agent, request id) is of `bearer`.
Caller address_caller(
    const AddressHolder& holder,
    std::initializer_list<domain::Permission> rights,
    const Caller& bearer
);

}  // namespace lab::service
