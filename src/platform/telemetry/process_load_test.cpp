#include "platform/telemetry/process_load.h"

#include "support/manual_clock.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>

namespace lab {
namespace {

namespace fs = std::filesystem;

class CgroupLimits : public testing::Test {
  protected:
    CgroupLimits() : root_(fs::path(testing::TempDir()) / ("load" + std::to_string(::getpid()))) {
        fs::remove_all(root_);
    }
    ~CgroupLimits() override { fs::remove_all(root_); }
    void write(const std::string& path, const std::string& text) const {
        fs::create_directories((root_ / path).parent_path());
        std::ofstream(root_ / path) << text;
    }
    ProcessLimits read() const { return read_process_limits(root_.string()); }
    fs::path root_;
};

TEST_F(CgroupLimits, WithoutGroupsAreThoseOfTheMachine) {
    const ProcessLimits limits = read();
    EXPECT_GE(limits.processors, 1);
    EXPECT_GT(limits.memory_bytes, 64 << 20);
}

TEST_F(CgroupLimits, AreTheLeastOfAllGroupsAboveTheProcess) {
    write("proc/self/cgroup", "0::/kubepods/pod1\n");
    write("sys/fs/cgroup/kubepods/pod1/cpu.max", "max 100000\n");
    write("sys/fs/cgroup/kubepods/pod1/memory.max", "2147483648\n");
    write("sys/fs/cgroup/kubepods/cpu.max", "50000 100000\n");
    write("sys/fs/cgroup/kubepods/memory.max", "max\n");
    write("sys/fs/cgroup/memory.max", "1048576\n");
    const ProcessLimits limits = read();
    EXPECT_DOUBLE_EQ(limits.processors, 0.5);
    EXPECT_DOUBLE_EQ(limits.memory_bytes, 1048576);
}

TEST_F(CgroupLimits, OfTheFirstVersionOfGroupsCountToo) {
    write("proc/self/cgroup", "12:memory:/\n");
    write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "25000\n");
    write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    write("sys/fs/cgroup/memory/memory.limit_in_bytes", "8388608\n");
    const ProcessLimits limits = read();
    EXPECT_DOUBLE_EQ(limits.processors, 0.25);
    EXPECT_DOUBLE_EQ(limits.memory_bytes, 8388608);
}

TEST_F(CgroupLimits, WithoutAQuotaOfTheFirstVersionAreNone) {
    write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    EXPECT_GE(read().processors, 1);
}

TEST(ProcessLoad, IsTheShareOfWhatMayBeUsed) {
    test::ManualClock clock;
    ProcessLoad load(clock, {.processors = 1, .memory_bytes = 1024});
    volatile double sum = 0;
    const std::clock_t begun = std::clock();
    while (std::clock() - begun < CLOCKS_PER_SEC / 50) {
        sum = sum + 1;
    }
    clock.advance(std::chrono::milliseconds(1));  // 20 ms of work in 1 ms: all there is, and more
    const LoadShare share = load.look();
    EXPECT_DOUBLE_EQ(share.cpu, 1);
    EXPECT_DOUBLE_EQ(share.memory, 1);
    clock.advance(std::chrono::hours(10));
    EXPECT_LT(load.look().cpu, 0.01);
}

TEST(ProcessLoad, SaysNothingOfNoTime) {
    const test::ManualClock clock;
    ProcessLoad load(clock, {.processors = 2, .memory_bytes = 0});
    EXPECT_EQ(load.look().cpu, 0);
    EXPECT_EQ(load.look().memory, 0);
}

}  // namespace
}  // namespace lab
