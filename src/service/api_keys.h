#pragma once
#include "platform/json/json.h"
#include "service/identity.h"
#include "service/nouns.h"
#include "service/request.h"
#include "storage/store/api_keys.h"

#include <string>

/// Keys of the API. Nobody can make one that may do more than they may themselves, nor get hold of
/// one by rotating it. Every change is in the audit log, in the same transaction.
namespace lab::service {

/// JSON Schemas of what may be written.
const Json& new_key_schema();
const Json& rotate_key_schema();

/// The key as shown, with `key`: the only time it is seen. `owner_id` is the caller where none is
/// given; the operator's key and the command line are nobody, so they must give one. `roles` are
/// the owner's where none are given; ServiceAccount leaves all to the scopes. What a key may do is
/// what its scopes, its roles and its owner's roles all allow, at the time it is used.
/// Errors: validation; forbidden.
Result<Json> create_key(const Request& request, Identity& identity, const Json& body);

Result<NounList> list_keys(
    const Request& request, const storage::ApiKeyFilter& filter, const storage::ResourcePage& page
);
/// Errors: forbidden; not_found.
Result<Json> get_key(const Request& request, const std::string& id);
/// At once. A key that is revoked already is no error. Errors: forbidden; not_found.
Status revoke_key(const Request& request, Identity& identity, const std::string& id);

/// A new key with the same name, owner, rights and tier, and as long a life, with `key`. `body`:
/// {overlap_hours?}, 0 to 24, how long the old one is good besides; none by default.
/// Errors: forbidden; not_found; validation; invalid_state when the key is revoked or expired.
Result<Json> rotate_key(
    const Request& request, Identity& identity, const std::string& id, const Json& body
);

/// As the API shows it: never with a hash.
Json show_key(const storage::ApiKey& key);

}  // namespace lab::service
