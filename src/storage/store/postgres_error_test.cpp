#include "storage/store/impl/postgres_error.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

TEST(PostgresError, TellsWhatIsAskedForFromWhatWentWrong) {
    const auto code = [](std::string_view state) {
        return postgres_error(state, "add_run", "words").code;
    };
    EXPECT_EQ(code("23505"), Code::conflict);
    EXPECT_EQ(code("23503"), Code::conflict);
    EXPECT_EQ(code("23502"), Code::internal);
    EXPECT_EQ(code("40001"), Code::unavailable);
    EXPECT_EQ(code("40P01"), Code::unavailable);
    EXPECT_EQ(code("57014"), Code::timed_out);
    EXPECT_EQ(code("57P01"), Code::unavailable);
    EXPECT_EQ(code("08006"), Code::unavailable);
    EXPECT_EQ(code("08P01"), Code::internal);
    EXPECT_EQ(code("25006"), Code::unavailable);
    EXPECT_EQ(code("53100"), Code::unavailable);
    EXPECT_EQ(code("22021"), Code::validation);
    EXPECT_EQ(code("42P01"), Code::internal);
}

TEST(PostgresError, TheServersWordsAreForTheLogAlone) {
    const Error error = postgres_error("42P01", "find_run", "relation \"runs\" is missing\n");
    EXPECT_EQ(error.message, "the database refused a statement (find_run)");
    EXPECT_EQ(error.cause, "find_run: PostgreSQL 42P01: relation \"runs\" is missing");
    EXPECT_EQ(connection_lost("find_run", "gone\n").cause, "find_run: gone");
}

TEST(PostgresError, SayWhatIsWrongWithTlsAndNoHost) {
    const Error name = connect_error(
        "connection to server at \"10.1.2.3\", port 5432 failed: server certificate for \"db\" "
        "does "
        "not match host name \"10.1.2.3\"\n"
    );
    EXPECT_EQ(name.code, Code::unavailable);
    EXPECT_NE(name.message.find("another name"), std::string::npos);
    EXPECT_EQ(name.message.find("10.1.2.3"), std::string::npos);
    EXPECT_NE(name.cause.find("10.1.2.3"), std::string::npos);
    EXPECT_NE(
        connect_error("SSL error: certificate verify failed").message.find("sslrootcert"),
        std::string::npos
    );
    EXPECT_EQ(
        connect_error("Connection refused").message, "the database cannot be reached: try again"
    );
}

}  // namespace
}  // namespace lab::storage
