#pragma once
#include <string>

/// The servers that tools/postgres.py started for this run of the tests; empty without one.
namespace lab::test {

/// A database on it that nobody uses: .../postgres.
const std::string& postgres_url();
/// The same through a pooler that hands connections out by transaction.
const std::string& pgbouncer_url();

/// `url` with another database than .../postgres.
std::string with_database(std::string url, const std::string& name);

}  // namespace lab::test
