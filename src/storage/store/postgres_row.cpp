#include "storage/store/impl/postgres_row.h"

#include <libpq-fe.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

namespace lab::storage {
namespace {

// Fixed for ever: src/include/catalog/pg_type.dat of PostgreSQL.
constexpr Oid kBool = 16;
constexpr Oid kBytes = 17;
constexpr Oid kName = 19;
constexpr Oid kInt8 = 20;
constexpr Oid kInt2 = 21;
constexpr Oid kInt4 = 23;
constexpr Oid kText = 25;
constexpr Oid kFloat4 = 700;
constexpr Oid kFloat8 = 701;
constexpr Oid kUnknown = 705;
constexpr Oid kVarchar = 1043;
constexpr Oid kVoid = 2278;
constexpr std::array kKnown{
    kBool, kBytes, kName, kInt8, kInt2, kInt4, kText, kFloat4, kFloat8, kUnknown, kVarchar, kVoid
};

/// Most significant byte first.
std::uint64_t big_endian(std::string_view bytes) {
    std::uint64_t out = 0;
    for (const char byte : bytes) {
        out = out << 8 | static_cast<unsigned char>(byte);
    }
    return out;
}

std::int64_t whole(double value) {
    constexpr double kTwo63 = 9223372036854775808.0;
    if (std::isnan(value)) {
        return 0;
    }
    if (value >= kTwo63) {
        return std::numeric_limits<std::int64_t>::max();
    }
    return value < -kTwo63 ? std::numeric_limits<std::int64_t>::min()
                           : static_cast<std::int64_t>(value);
}

template <class T>
T parsed(std::string_view text) {
    T out{};
    std::from_chars(text.data(), text.data() + text.size(), out);
    return out;
}

}  // namespace

std::int64_t changed_rows(pg_result* result) {
    if (PQresultStatus(result) != PGRES_COMMAND_OK &&
        std::string_view(PQcmdStatus(result)).starts_with("SELECT")) {
        return 0;
    }
    return parsed<std::int64_t>(PQcmdTuples(result));
}

Status check_columns(const pg_result* result, std::string_view doing) {
    for (int column = 0; column < PQnfields(result); ++column) {
        if (std::ranges::find(kKnown, PQftype(result, column)) == kKnown.end()) {
            return Error(
                Code::internal,
                "query " + std::string(doing) + ": column " + std::to_string(column) +
                    " needs a CAST to BIGINT, DOUBLE PRECISION, TEXT or BYTEA"
            );
        }
    }
    return ok();
}

std::string_view PostgresRow::bytes_of(int column) const {
    return {
        PQgetvalue(result_, row_, column),
        static_cast<std::size_t>(PQgetlength(result_, row_, column))
    };
}

bool PostgresRow::is_null(int column) const { return PQgetisnull(result_, row_, column) != 0; }

std::int64_t PostgresRow::integer(int column) const {
    if (is_null(column)) {
        return 0;
    }
    const std::string_view bytes = bytes_of(column);
    switch (PQftype(result_, column)) {
        case kBool:
        case kInt8:
            return static_cast<std::int64_t>(big_endian(bytes));
        case kInt4:
            return static_cast<std::int32_t>(big_endian(bytes));
        case kInt2:
            return static_cast<std::int16_t>(big_endian(bytes));
        case kFloat4:
        case kFloat8:
            return whole(real(column));
        default:
            return parsed<std::int64_t>(bytes);
    }
}

double PostgresRow::real(int column) const {
    if (is_null(column)) {
        return 0;
    }
    const std::string_view bytes = bytes_of(column);
    switch (PQftype(result_, column)) {
        case kFloat8:
            return std::bit_cast<double>(big_endian(bytes));
        case kFloat4:
            return static_cast<double>(
                std::bit_cast<float>(static_cast<std::uint32_t>(big_endian(bytes)))
            );
        case kBool:
        case kInt8:
        case kInt4:
        case kInt2:
            return static_cast<double>(integer(column));
        default:
            return parsed<double>(bytes);
    }
}

std::string_view PostgresRow::text(int column) const {
    if (is_null(column)) {
        return "";
    }
    switch (PQftype(result_, column)) {
        case kBool:
        case kInt8:
        case kInt4:
        case kInt2:
            return texts_.emplace_back(std::to_string(integer(column)));
        case kFloat4:
        case kFloat8: {
            std::array<char, 32> buffer{};
            const auto end =
                std::to_chars(buffer.data(), buffer.data() + buffer.size(), real(column));
            return texts_.emplace_back(buffer.data(), end.ptr);
        }
        default:
            return bytes_of(column);
    }
}

std::string_view PostgresRow::blob(int column) const { return text(column); }

}  // namespace lab::storage
