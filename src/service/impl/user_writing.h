#pragma once
#include "service/users.h"

namespace lab::service {

/// A checked new user, hashed and ready to be stored.
/// Errors: validation.
Result<storage::User> prepare_user(const Ctx& ctx, Identity& identity, const NewUser& user);

/// In a transaction of the caller. Errors: conflict with `existing_id`.
Status store_user(const Request& request, storage::User& user);

}  // namespace lab::service
