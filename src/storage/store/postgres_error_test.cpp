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

}  // namespace
}  // namespace lab::storage
