#include "platform/http/impl/server_table.h"

#include <gtest/gtest.h>

#include <map>

namespace lab::http {
namespace {

using std::chrono::seconds;

class ConnectionTableTest : public ::testing::Test {
  protected:
    using EntryPtr = std::shared_ptr<ConnectionTable::Entry>;

    /// Adds a connection `name` from `address` and moves the time on by a second.
    bool add(ConnectionTable& table, const std::string& name, const std::string& address) {
        auto entry = std::make_shared<ConnectionTable::Entry>();
        entry->evict = [this, name] { asked.push_back(name); };
        now += seconds(1);
        if (!table.add(entry, address, now)) {
            return false;
        }
        entries[name] = entry;
        return true;
    }
    void set(const std::string& name, Phase phase) {
        now += seconds(1);
        entries.at(name)->set_phase(phase, now);
    }

    TimePoint now = TimePoint(seconds(1'000));
    std::map<std::string, EntryPtr> entries;
    std::vector<std::string> asked;
};

TEST_F(ConnectionTableTest, PhasesAreGivenUpInTheirOrder) {
    ConnectionTable table({.connections_max = 4, .incomplete_per_peer_max = 100});
    for (const char* name : {"a", "b", "c", "d"}) {
        ASSERT_TRUE(add(table, name, "1"));
    }
    set("a", Phase::sending);
    set("b", Phase::receiving);
    set("c", Phase::idle);
    for (const char* name : {"e", "f", "g", "h"}) {
        ASSERT_TRUE(add(table, name, "1"));
        set(name, Phase::busy);
    }
    EXPECT_EQ(asked, (std::vector<std::string>{"d", "c", "b", "a"}));
    EXPECT_FALSE(add(table, "i", "1"));
    EXPECT_EQ(table.size(), 4);
    EXPECT_EQ(table.evicted(), 4);
}

TEST_F(ConnectionTableTest, TheAddressWithMostLosesItsOldest) {
    ConnectionTable table({.connections_max = 5, .incomplete_per_peer_max = 100});
    ASSERT_TRUE(add(table, "old", "1"));
    for (const char* name : {"a", "b", "c", "d"}) {
        ASSERT_TRUE(add(table, name, "2"));
    }
    for (const char* name : {"e", "f", "g"}) {
        ASSERT_TRUE(add(table, name, "3"));
    }
    EXPECT_EQ(asked, (std::vector<std::string>{"a", "b", "c"}));
}

TEST_F(ConnectionTableTest, OldIsWhoIsInItsPhaseForLongest) {
    ConnectionTable table({.connections_max = 2, .incomplete_per_peer_max = 100});
    ASSERT_TRUE(add(table, "a", "1"));
    ASSERT_TRUE(add(table, "b", "1"));
    set("a", Phase::busy);
    set("b", Phase::idle);
    set("a", Phase::idle);
    ASSERT_TRUE(add(table, "c", "1"));
    EXPECT_EQ(asked, std::vector<std::string>{"b"});
}

TEST_F(ConnectionTableTest, ReceivingAndSendingHaveSomePatience) {
    ConnectionTable table(
        {.connections_max = 1, .incomplete_per_peer_max = 100, .patience = seconds(10)}
    );
    ASSERT_TRUE(add(table, "a", "1"));
    set("a", Phase::receiving);
    now += seconds(8);
    EXPECT_FALSE(add(table, "b", "1"));
    EXPECT_TRUE(add(table, "b", "1"));
    EXPECT_EQ(asked, std::vector<std::string>{"a"});
}

TEST_F(ConnectionTableTest, OneAddressHasSoManyIncompleteOnes) {
    ConnectionTable table({.connections_max = 100, .incomplete_per_peer_max = 2});
    ASSERT_TRUE(add(table, "a", "1"));
    ASSERT_TRUE(add(table, "b", "1"));
    ASSERT_TRUE(add(table, "x", "2"));
    EXPECT_TRUE(asked.empty());
    ASSERT_TRUE(add(table, "c", "1"));
    EXPECT_EQ(asked, std::vector<std::string>{"a"});
    set("b", Phase::busy);
    ASSERT_TRUE(add(table, "d", "1"));
    EXPECT_EQ(asked.size(), 1);
    set("b", Phase::incomplete);  // between two requests it may become so again
    ASSERT_TRUE(add(table, "e", "1"));
    EXPECT_EQ(asked, (std::vector<std::string>{"a", "c"}));
    table.remove(entries["d"]);
    table.remove(entries["e"]);
    ASSERT_TRUE(add(table, "f", "1"));
    EXPECT_EQ(asked.size(), 2);
}

TEST_F(ConnectionTableTest, WhoHasBeenAskedIsNotCountedUnlessItStays) {
    ConnectionTable table({.connections_max = 1, .incomplete_per_peer_max = 100});
    ASSERT_TRUE(add(table, "a", "1"));
    ASSERT_TRUE(add(table, "b", "1"));
    EXPECT_EQ(table.size(), 1);
    set("a", Phase::busy);
    table.restore(entries["a"]);
    EXPECT_EQ(table.size(), 2);
    EXPECT_EQ(table.evicted(), 0);
    table.restore(entries["a"]);  // once is enough
    EXPECT_EQ(table.size(), 2);
    table.remove(entries["a"]);
    table.remove(entries["b"]);
    EXPECT_EQ(table.size(), 0);
}

TEST_F(ConnectionTableTest, RoomCanBeMadeWithoutANewcomer) {
    ConnectionTable table({.connections_max = 10, .incomplete_per_peer_max = 100});
    ASSERT_TRUE(add(table, "a", "1"));
    ASSERT_TRUE(add(table, "b", "1"));
    EXPECT_TRUE(table.make_room(now));
    EXPECT_EQ(asked, std::vector<std::string>{"a"});
    set("b", Phase::busy);
    EXPECT_FALSE(table.make_room(now));
}

TEST_F(ConnectionTableTest, UnderAttackRoomIsMadeForSeveralAtOnce) {
    ConnectionTable table({.connections_max = 640, .incomplete_per_peer_max = 10'000});
    for (int i = 0; i < 640; ++i) {
        ASSERT_TRUE(add(table, std::to_string(i), "1"));
    }
    ASSERT_TRUE(add(table, "new", "2"));
    EXPECT_EQ(asked.size(), 10);
    EXPECT_EQ(asked.front(), "0");
    EXPECT_EQ(asked.back(), "9");
}

}  // namespace
}  // namespace lab::http
