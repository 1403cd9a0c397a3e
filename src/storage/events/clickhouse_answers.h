#pragma once
#include "platform/http/blocking.h"

#include <optional>

namespace lab::storage {

/// Exceptions of the server that somebody acts upon (ClickHouse, src/Common/ErrorCodes.cpp).
inline constexpr int kUnknownTable = 60;
inline constexpr int kUnknownDatabase = 81;

/// Of X-ClickHouse-Exception-Code, or of "Code: 60. DB::Exception: ..." at the head of the body; 0
/// when the server names none.
int clickhouse_exception(const http::Answer& answer);
/// "UNKNOWN_TABLE" of "... (UNKNOWN_TABLE) (version ...)"; empty when there is none.
std::string clickhouse_exception_name(std::string_view body);
/// What went wrong with a call, in words that name no host; nullopt: nothing.
std::optional<Error> clickhouse_error(const http::Answer& answer);

}  // namespace lab::storage
