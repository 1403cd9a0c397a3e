#pragma once
#include "api/route.h"

namespace lab::api {

/// Of an answer that is a pair of tokens.
const Json& tokens_schema();
/// Tokens are nobody else's: no cache keeps them.
Reply reply_tokens(Json tokens);

}  // namespace lab::api
