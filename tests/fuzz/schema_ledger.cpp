#include "fuzz/fuzz.h"
#include "platform/crypto/sha256.h"
#include "storage/store/impl/sqlite_migrate.h"
#include "support/manual_clock.h"

#include <array>
#include <charconv>
#include <map>

namespace {
using namespace lab;
using namespace lab::storage;
using fuzz::require;

constexpr std::array<Migration, 3> kOurs{{
    {1, "first", "CREATE TABLE one (k INTEGER)"},
    {2, "second", "CREATE TABLE two (k INTEGER)"},
    {3, "third", "CREATE TABLE three (k INTEGER)"},
}};
constexpr Query kPut{"put", R"sql(
    INSERT OR REPLACE INTO _migrations
        (version, description, installed_on, success, checksum, execution_time)
    VALUES ($1, $2, '', 1, $3, 0)
)sql"};
constexpr Query kTake{"take", "DELETE FROM _migrations WHERE version = $1"};
constexpr Query kLedger{
    "ledger", "SELECT version, description, checksum FROM _migrations ORDER BY version"
};
constexpr Query kTables{
    "tables", "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"
};

struct Entry {
    std::string description;
    std::string checksum;
    bool operator==(const Entry&) const = default;
};
using Ledger = std::map<std::int64_t, Entry>;

/// A database in memory with the first migrations.
class Store {
  public:
    explicit Store(std::size_t count) {
        auto session =
            SqliteSession::open(ctx_, {.options = {.path = "memory"}, .uri = "file::memory:"});
        require(session.has_value(), "a database can be opened");
        session_ = *std::move(session);
        require(migrate(count).has_value(), "a new database is brought up to date");
    }
    Status migrate(std::size_t count = kOurs.size()) {
        return migrate_sqlite(ctx_, *session_, std::span(kOurs).first(count));
    }
    void put(std::int64_t version, std::string_view description, std::string_view checksum) {
        const Value values[] = {version, description, Blob{checksum}};
        require(session_->exec(ctx_, kPut, values).has_value(), "a ledger takes rows");
    }
    void take(std::int64_t version) {
        const Value values[] = {version};
        require(session_->exec(ctx_, kTake, values).has_value(), "a ledger gives rows back");
    }
    Ledger ledger() {
        Ledger out;
        const Status read = session_->query(ctx_, kLedger, {}, [&](const Row& row) {
            out[row.integer(0)] = {std::string(row.text(1)), std::string(row.blob(2))};
            return ok();
        });
        require(read.has_value(), "a ledger can be read");
        return out;
    }
    std::string tables() {
        std::string out;
        const Status read = session_->query(ctx_, kTables, {}, [&](const Row& row) {
            out += std::string(row.text(0)) + " ";
            return ok();
        });
        require(read.has_value(), "a schema can be read");
        return out;
    }

  private:
    test::ManualClock clock_;
    Ctx ctx_{clock_};
    std::unique_ptr<SqliteSession> session_;
};

/// One line: "-VERSION", or "VERSION CHECKSUM DESCRIPTION", where the checksum "=" is that of ours.
void change(Store& store, std::string_view line) {
    const bool takes = line.starts_with('-');
    line.remove_prefix(takes ? 1 : 0);
    const std::string_view number = fuzz::take_until(line, ' ');
    std::int64_t version = 0;
    if (std::from_chars(number.data(), number.data() + number.size(), version).ec != std::errc{}) {
        return;
    }
    if (takes) {
        store.take(version);
        return;
    }
    std::string checksum(fuzz::take_until(line, ' '));
    const auto ours = std::ranges::find(kOurs, version, [](const Migration& one) {
        return std::int64_t{one.version};
    });
    if (checksum == "=" && ours != kOurs.end()) {
        checksum = sha256(ours->sql);
    }
    store.put(version, line, checksum);
}

/// How many of ours a ledger says; nullopt: it is of another program.
std::optional<std::size_t> count_ours(const Ledger& ledger) {
    std::size_t count = 0;
    for (const auto& [version, entry] : ledger) {
        if (count == kOurs.size() || version != kOurs.at(count).version ||
            entry.checksum != sha256(kOurs.at(count).sql)) {
            return std::nullopt;
        }
        ++count;
    }
    return count;
}
}  // namespace

// The ledger of a database that somebody else has written to: one whose rows are the first of our
// migrations, each with its checksum, is brought up to date; every other is refused, and nothing is
// changed. The first byte: how many migrations the database has.
FUZZ_TARGET(schema_ledger) {
    std::string_view text = input;
    const std::size_t count = fuzz::take_choice(text) % (kOurs.size() + 1);
    Store store(count);
    while (!text.empty()) {
        change(store, fuzz::take_until(text, '\n'));
    }
    const Ledger before = store.ledger();
    const std::string tables = store.tables();
    const auto said = count_ours(before);
    const Status migrated = store.migrate();
    if (!said) {
        require(
            !migrated && migrated.error().code == Code::unavailable, "a foreign one is refused"
        );
        require(migrated.error().message.contains("LLM_RESEARCH_HOME"), "it says what to do");
        require(store.ledger() == before && store.tables() == tables, "and is left alone");
        return;
    }
    // A ledger that says less than there is: a table is there already.
    if (*said < count) {
        require(!migrated, "what is there is not made again");
        require(
            store.ledger() == before && store.tables() == tables, "a failure leaves all as it was"
        );
        return;
    }
    require(migrated.has_value(), "ours is brought up to date");
    require(count_ours(store.ledger()) == kOurs.size(), "the ledger says so");
    require(store.migrate().has_value(), "and again there is nothing to do");
    for (const auto& [version, entry] : before) {
        require(store.ledger().at(version) == entry, "what was noted stays");
    }
}
