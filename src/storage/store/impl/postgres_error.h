#pragma once
#include "base/result.h"

#include <string_view>

namespace lab::storage {

/// What an SQLSTATE means to whoever waits for the answer. `doing`: the query's name; `said`: the
/// server's words, for our log only. Source: PostgreSQL 15, appendix A.
Error postgres_error(std::string_view sqlstate, std::string_view doing, std::string_view said);

/// Of a connection that ended or never was.
/// When no connection came about: what libpq said becomes the cause, and what of it an operator can
/// put right the message, which names neither hosts nor users.
Error connect_error(std::string_view said);
Error connection_lost(std::string_view doing, std::string_view said);

}  // namespace lab::storage
