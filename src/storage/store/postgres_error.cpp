#include "storage/store/impl/postgres_error.h"

#include <algorithm>
#include <array>
#include <string>

namespace lab::storage {
namespace {

struct Meaning {
    std::string_view state;  ///< an SQLSTATE, or the two letters of its class
    Code code;
    std::string_view message;
};

// The first that fits counts.
constexpr std::array kMeanings{
    Meaning{"23505", Code::conflict, "exists already"},
    Meaning{"23503", Code::conflict, "refers to what does not exist"},
    Meaning{"23", Code::internal, "the database refused a value"},
    Meaning{"22021", Code::validation, "a text holds a character that the database cannot keep"},
    Meaning{"22P05", Code::validation, "a text holds a character that the database cannot keep"},
    Meaning{"40", Code::unavailable, "another change came in between: try again"},
    Meaning{"55P03", Code::unavailable, "another change is under way: try again"},
    Meaning{"57014", Code::timed_out, "the database took longer than a statement may"},
    Meaning{"57", Code::unavailable, "the database is starting or stopping: try again"},
    Meaning{"25P03", Code::unavailable, "the database ended a transaction that waited too long"},
    Meaning{"25006", Code::unavailable, "the database may only be read at the moment: try again"},
    Meaning{"53300", Code::unavailable, "the database has no connection left: try again"},
    Meaning{"53100", Code::unavailable, "the disk of the database is full"},
    Meaning{"53", Code::unavailable, "the database has too little room or memory"},
    Meaning{"54", Code::payload_too_large, "a value is too large for the database"},
    Meaning{"28", Code::unavailable, "the database refuses the user or the password"},
    Meaning{"3D000", Code::unavailable, "there is no such database on the server"},
    Meaning{"42501", Code::unavailable, "the database user lacks a right"},
    Meaning{"08P01", Code::internal, "the database did not understand a statement"},
    Meaning{"08", Code::unavailable, "the connection to the database was lost: try again"},
    Meaning{"58", Code::unavailable, "the server of the database failed: try again"},
    Meaning{"", Code::internal, "the database refused a statement"},
};

}  // namespace

Error postgres_error(std::string_view sqlstate, std::string_view doing, std::string_view said) {
    const auto found = std::ranges::find_if(kMeanings, [&](const Meaning& meaning) {
        return sqlstate.starts_with(meaning.state);
    });
    Error error(found->code, std::string(found->message) + " (" + std::string(doing) + ")");
    error.cause = std::string(doing) + ": PostgreSQL " + std::string(sqlstate) + ": ";
    error.cause += said.substr(0, said.find_last_not_of('\n') + 1);
    return error;
}

Error connect_error(std::string_view said) {
    // The words of libpq 15 and of the server, which are not translated: we set no locale.
    constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kKnown{{
        {"does not match host name",
         "the server of the database shows a certificate for another name than the one in "
         "DATABASE_URL"},
        {"certificate verify failed",
         "nobody who is trusted vouches for the certificate of the database's server: see "
         "sslrootcert in DATABASE_URL"},
        {"root certificate file",
         "the file of sslrootcert in DATABASE_URL cannot be read, and sslmode asks for it"},
        {"no encryption", "the server of the database wants TLS: see sslmode in DATABASE_URL"},
        {"does not support SSL",
         "the server of the database does not speak TLS, which sslmode in DATABASE_URL asks for"},
    }};
    const auto known = std::ranges::find_if(kKnown, [&](const auto& one) {
        return said.find(one.first) != said.npos;
    });
    Error error(
        Code::unavailable,
        known != kKnown.end() ? std::string(known->second)
                              : "the database cannot be reached: try again"
    );
    error.cause = "connect: " + std::string(said);
    return error;
}

Error connection_lost(std::string_view doing, std::string_view said) {
    Error error(Code::unavailable, "the connection to the database was lost: try again");
    error.cause = std::string(doing) + ": ";
    error.cause += said.substr(0, said.find_last_not_of('\n') + 1);
    return error;
}

}  // namespace lab::storage
