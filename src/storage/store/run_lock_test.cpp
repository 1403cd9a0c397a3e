#include "storage/store/run_lock.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

#include <csignal>

namespace lab::storage {
namespace {

TEST(RunLock, IsHeldByOneAndFreeAgainAfterwards) {
    const test::TestFolder home;
    {
        const auto lock = RunLock::acquire(home.file("locks"), "abc");
        ASSERT_TRUE(lock) << lock.error().message;
        const auto second = RunLock::acquire(home.file("locks"), "abc");
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, Code::conflict);
        EXPECT_NE(
            second.error().message.find("process " + std::to_string(::getpid())), std::string::npos
        ) << second.error().message;
        EXPECT_TRUE(RunLock::acquire(home.file("locks"), "abd"));
    }
    EXPECT_TRUE(test::files_below(home.path()).empty());
    EXPECT_TRUE(RunLock::acquire(home.file("locks"), "abc"));
}

TEST(RunLock, NamesTheOtherProcessAndOutlivesItNot) {
    const test::TestFolder home;
    const test::Child holder([&](int fd) {
        const auto lock = RunLock::acquire(home.path(), "abc");
        if (!lock || !test::say(fd, "held")) {
            return 1;
        }
        for (;;) {
            ::pause();
        }
    });
    char word[4];
    ASSERT_EQ(::read(holder.fd(), word, sizeof word), 4);
    const auto refused = RunLock::acquire(home.path(), "abc");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::conflict);
    EXPECT_NE(
        refused.error().message.find("process " + std::to_string(holder.pid())), std::string::npos
    ) << refused.error().message;
    ASSERT_EQ(::kill(holder.pid(), SIGKILL), 0);
    holder.wait();
    EXPECT_TRUE(RunLock::acquire(home.path(), "abc"));
}

TEST(RunLock, SaysWhereItCannotBeKept) {
    const auto lock = RunLock::acquire("/proc/no-such-folder", "abc");
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().code, Code::io);
    EXPECT_NE(lock.error().message.find("/proc/no-such-folder"), std::string::npos);
}

// Many come and go at once: never two at a time, though each leaver removes the file.
TEST(RunLock, NeverTwoAtATime) {
    const test::TestFolder home;
    std::vector<std::unique_ptr<test::Child>> children;
    const std::string inside = home.file("inside");
    for (int i = 0; i < 4; ++i) {
        children.push_back(std::make_unique<test::Child>([&](int) {
            for (int got = 0; got < 200;) {
                const auto lock = RunLock::acquire(home.path(), "abc");
                if (!lock) {
                    if (lock.error().code != Code::conflict) {
                        return 1;
                    }
                    continue;
                }
                if (::mkdir(inside.c_str(), 0700) != 0 || ::rmdir(inside.c_str()) != 0) {
                    return 2;
                }
                ++got;
            }
            return 0;
        }));
    }
    for (const auto& child : children) {
        EXPECT_EQ(child->wait(), 0);
    }
}

}  // namespace
}  // namespace lab::storage
