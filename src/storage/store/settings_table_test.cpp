#include "storage/store/settings_table.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>

namespace lab::storage {
namespace {

constexpr std::string_view kAt = "2026-01-01T00:00:00.000000Z";

class SettingsContract : public test::StoreTest {
  protected:
    ServiceSettings settings_{*session_};
};

TEST_P(SettingsContract, KeepWhatWasPut) {
    EXPECT_FALSE(settings_.find(ctx_, "a").value());
    ASSERT_TRUE(settings_.put(ctx_, "a", "1", kAt));
    ASSERT_TRUE(settings_.put(ctx_, "a", "2", kAt));
    ASSERT_TRUE(settings_.put(ctx_, "b", "", kAt));
    EXPECT_EQ(settings_.find(ctx_, "a").value(), "2");
    EXPECT_EQ(settings_.find(ctx_, "b").value(), "");
}

TEST_P(SettingsContract, TheFirstToPutDecides) {
    EXPECT_EQ(settings_.put_if_absent(ctx_, "a", "1", kAt).value(), "1");
    EXPECT_EQ(settings_.put_if_absent(ctx_, "a", "2", kAt).value(), "1");
    std::vector<std::unique_ptr<Session>> sessions;
    std::vector<std::string> seen(4);
    for (std::size_t i = 0; i < seen.size(); ++i) {
        sessions.push_back(another_session());
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        threads.emplace_back([&, i] {
            ServiceSettings mine(*sessions[i]);
            seen[i] = mine.put_if_absent(ctx_, "b", std::to_string(i), kAt).value();
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 1U);
}

TEST_P(SettingsContract, GoOnlyWithTheValueThatWasRead) {
    ASSERT_TRUE(settings_.put(ctx_, "a", "1", kAt));
    EXPECT_FALSE(settings_.remove_if(ctx_, "a", "2").value());
    EXPECT_TRUE(settings_.remove_if(ctx_, "a", "1").value());
    EXPECT_FALSE(settings_.remove_if(ctx_, "a", "1").value());
}

LAB_ALL_BACKENDS(SettingsContract);

}  // namespace
}  // namespace lab::storage
