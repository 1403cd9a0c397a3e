#include "platform/config/live_settings.h"

#include "platform/config/impl/test_environment.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace lab {
namespace {

namespace fs = std::filesystem;

/// A folder as an operator or Kubernetes fills it.
class Mounted : public testing::Test {
  protected:
    Mounted() : folder_(fs::path(testing::TempDir()) / ("live" + std::to_string(::getpid()))) {
        fs::remove_all(folder_);
        fs::create_directories(folder_);
        auto settings = load_server_settings(test::environment({{"LOG_LEVEL", "warn"}}));
        EXPECT_TRUE(settings);
        started_ = *std::move(settings);
    }
    ~Mounted() override { fs::remove_all(folder_); }

    void write(const std::string& name, const std::string& text) const {
        fs::create_directories((folder_ / name).parent_path());
        std::ofstream(folder_ / name) << text;
    }
    /// As the kubelet does: a new folder, and the link to it swapped in one step.
    void publish(const std::string& state, const std::map<std::string, std::string>& values) const {
        for (const auto& [key, value] : values) {
            write(state + "/" + key, value);
            std::error_code code;
            fs::create_symlink(fs::path("..data") / key, folder_ / key, code);
        }
        fs::create_directory_symlink(state, folder_ / "..data_tmp");
        fs::rename(folder_ / "..data_tmp", folder_ / "..data");
    }

    fs::path folder_;
    ServerSettings started_;
};

TEST_F(Mounted, SaysNothingWithoutAFolder) {
    LiveSettings none(started_, "");
    EXPECT_EQ(none.look().value(), std::nullopt);
    LiveSettings absent(started_, (folder_ / "absent").string());
    EXPECT_EQ(absent.look().value(), std::nullopt);
}

TEST_F(Mounted, WhatIsPublishedCountsBeforeFiles) {
    LiveSettings live(started_, folder_.string());
    write("MAINTENANCE_MODE", "false");
    write("RATE_LIMIT_BURST", "7");
    live.publish({{"MAINTENANCE_MODE", "true"}, {"SERVER_PORT", "1"}, {"JWT_SECRET", "x"}});
    const auto both = live.look().value();
    ASSERT_TRUE(both.has_value());
    EXPECT_TRUE(both->general.maintenance);
    EXPECT_EQ(both->http.request_burst, 7);
    EXPECT_EQ(both->http.port, started_.http.port);
    EXPECT_EQ(both->auth.jwt_secret, started_.auth.jwt_secret);
    EXPECT_EQ(live.look().value(), std::nullopt);
    live.publish({});
    EXPECT_FALSE(live.look().value().value().general.maintenance);
}

TEST_F(Mounted, NoFolderIsNeededForWhatIsPublished) {
    LiveSettings live(started_, "");
    live.publish({{"LOG_LEVEL", "debug"}});
    EXPECT_EQ(live.look().value().value().telemetry.log_level, "debug");
    live.publish({{"LOG_LEVEL", "loud"}});
    EXPECT_FALSE(live.look());
    live.publish({});
    EXPECT_EQ(live.look().value().value().telemetry.log_level, "warn");
}

TEST_F(Mounted, TellsEachChangeOnce) {
    LiveSettings live(started_, folder_.string());
    EXPECT_EQ(live.look().value(), std::nullopt);
    write("MAINTENANCE_MODE", "true\n");
    write("SERVER_PORT", "1");  // one that may not change
    const auto on = live.look().value();
    ASSERT_TRUE(on.has_value());
    EXPECT_TRUE(on->general.maintenance);
    EXPECT_EQ(on->http.port, started_.http.port);
    EXPECT_EQ(on->telemetry.log_level, "warn");
    EXPECT_EQ(live.look().value(), std::nullopt);
    fs::remove(folder_ / "MAINTENANCE_MODE");
    const auto off = live.look().value();
    ASSERT_TRUE(off.has_value());
    EXPECT_FALSE(off->general.maintenance);
}

TEST_F(Mounted, FollowsLinksThatAreSwapped) {
    LiveSettings live(started_, folder_.string());
    publish("..2026_1", {{"MAINTENANCE_MODE", "false"}, {"RATE_LIMIT_BURST", "7"}});
    EXPECT_EQ(live.look().value().value().http.request_burst, 7);
    publish("..2026_2", {{"MAINTENANCE_MODE", "true"}, {"RATE_LIMIT_BURST", "8"}});
    fs::remove_all(folder_ / "..2026_1");
    const auto now = live.look().value();
    ASSERT_TRUE(now.has_value());
    EXPECT_TRUE(now->general.maintenance);
    EXPECT_EQ(now->http.request_burst, 8);
}

TEST_F(Mounted, RefusesNonsenseOnceAndWhole) {
    LiveSettings live(started_, folder_.string());
    write("MAINTENANCE_MODE", "true");
    write("LOG_LEVEL", "loud");
    const auto refused = live.look();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().details.at(0).field, "LOG_LEVEL");
    EXPECT_EQ(live.look().value(), std::nullopt);
    write("LOG_LEVEL", "debug");
    EXPECT_EQ(live.look().value().value().telemetry.log_level, "debug");
}

TEST_F(Mounted, DoesNotTakeFilesForValuesThatAreNone) {
    LiveSettings live(started_, folder_.string());
    fs::create_directories(folder_ / "LOG_LEVEL");  // a folder
    write("MAINTENANCE_MODE", std::string(100'000, 'x'));
    EXPECT_FALSE(live.look());
}

}  // namespace
}  // namespace lab
