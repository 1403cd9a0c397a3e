#include "storage/objects/dataset_import.h"
#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>

namespace lab::storage {
namespace {

using test::full_sample;

constexpr int kCannotMount = 77;

/// A full disk must end a run in words, with everything acknowledged kept and the store intact.
class FullDisk : public testing::Test {
  protected:
    /// Fills the database until it is refused; says "<stored> <message>". Afterwards everything
    /// acknowledged must still be readable, by the same session.
    int fill(int fd, const std::string& path) {
        auto database = open_sqlite(ctx_, {.path = path});
        if (!database || !(*database)->migrate(ctx_)) {
            return 1;
        }
        const auto session = *(*database)->open_session(ctx_);
        Journal journal(*session);
        const auto run = Runs(*session).create(ctx_, test::new_run("a"));
        if (!run) {
            return 2;
        }
        for (std::int64_t i = 0; i < 100'000; ++i) {
            domain::SampleResult result = full_sample(i);
            result.output.assign(5'000, 'x');
            const Status status = journal.commit(ctx_, run->key, {}, std::span(&result, 1));
            if (status) {
                continue;
            }
            const auto books = journal.ledger(ctx_, run->key);
            if (status.error().code != Code::io || !books || books->done != i) {
                return 3;
            }
            return test::say(fd, std::to_string(i) + " " + status.error().message) ? 0 : 4;
        }
        return 5;
    }
    SystemClock clock_;
    Ctx ctx_{clock_};
    test::TestFolder home_;
};

/// A private mount point for this process and a disk of `bytes` there. False where that is not
/// allowed.
bool mount_small_disk(const std::string& folder, const std::string& bytes) {
    if (::unshare(CLONE_NEWNS) != 0 && ::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) {
        return false;
    }
    ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    return ::mount("small", folder.c_str(), "tmpfs", 0, ("size=" + bytes).c_str()) == 0;
}

TEST_F(FullDisk, AFileThatMayNotGrowEndsInWordsAndLosesNothing) {
    const std::string path = home_.file("lab.db");
    const test::Child child([&](int fd) {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit{.rlim_cur = 3'000'000, .rlim_max = 3'000'000};
        return ::setrlimit(RLIMIT_FSIZE, &limit) == 0 ? fill(fd, path) : 6;
    });
    const std::string said = child.read_all();
    ASSERT_EQ(child.wait(), 0) << said;
    const std::int64_t stored = std::strtoll(said.c_str(), nullptr, 10);
    EXPECT_GT(stored, 100);
    EXPECT_NE(said.find("ulimit"), std::string::npos) << said;
    EXPECT_NE(said.find("llm-research resume"), std::string::npos) << said;
    // With room again it goes on where it was.
    const auto database = open_sqlite(ctx_, {.path = path});
    ASSERT_TRUE(database) << database.error().message;
    const auto session = *(*database)->open_session(ctx_);
    ASSERT_TRUE(verify_sqlite(ctx_, *session));
    Journal journal(*session);
    EXPECT_EQ(journal.ledger(ctx_, 1).value().done, stored);
    EXPECT_TRUE(journal.commit(ctx_, 1, {}, std::vector{full_sample(stored)}));
}

TEST_F(FullDisk, ADiskWithoutSpaceEndsInWordsAndLosesNothing) {
    const std::string path = home_.file("lab.db");
    const test::Child child([&](int fd) {
        return mount_small_disk(home_.path(), "4m") ? fill(fd, path) : kCannotMount;
    });
    const std::string said = child.read_all();
    const int status = child.wait();
    if (WIFEXITED(status) && WEXITSTATUS(status) == kCannotMount) {
        GTEST_SKIP() << "may not mount a disk here";
    }
    ASSERT_EQ(status, 0) << said;
    EXPECT_NE(said.find("no space left on the disk that holds " + path), std::string::npos) << said;
    EXPECT_GT(std::strtoll(said.c_str(), nullptr, 10), 100);
}

TEST_F(FullDisk, AnImportThatDoesNotFitLeavesNothing) {
    const test::Child child([&](int fd) {
        if (!mount_small_disk(home_.path(), "4m")) {
            return kCannotMount;
        }
        const ObjectFolder folder(home_.path());
        std::string message;
        {
            auto writer = DatasetWriter::create(folder);
            const std::string row(1000, 'x');
            Status status = writer ? ok() : Status(writer.error());
            for (int i = 0; status && i < 10'000; ++i) {
                status = writer->add(row);
            }
            if (status || status.error().code != Code::io) {
                return 1;
            }
            message = status.error().message;
        }
        return test::files_below(home_.path()).empty() && test::say(fd, message) ? 0 : 2;
    });
    const std::string said = child.read_all();
    const int status = child.wait();
    if (WIFEXITED(status) && WEXITSTATUS(status) == kCannotMount) {
        GTEST_SKIP() << "may not mount a disk here";
    }
    ASSERT_EQ(status, 0) << said;
    EXPECT_NE(said.find("no space left on the disk that holds " + home_.path()), std::string::npos)
        << said;
}

TEST_F(FullDisk, AReadOnlyDiskIsRefusedInWords) {
    const std::string path = home_.file("lab.db");
    const test::Child child([&](int fd) {
        if (!mount_small_disk(home_.path(), "4m")) {
            return kCannotMount;
        }
        {
            auto database = open_sqlite(ctx_, {.path = path});
            if (!database || !(*database)->migrate(ctx_)) {
                return 1;
            }
        }
        if (::mount("small", home_.path().c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr) != 0) {
            return kCannotMount;
        }
        const auto opened = open_sqlite(ctx_, {.path = path});
        const auto fresh = open_sqlite(ctx_, {.path = home_.file("new/lab.db")});
        const auto object = ObjectFolder(home_.path()).create();
        if (opened || fresh || object) {
            return 2;
        }
        return test::say(
                   fd,
                   opened.error().message + "\n" + fresh.error().message + "\n" +
                       object.error().message
               )
                   ? 0
                   : 3;
    });
    const std::string said = child.read_all();
    const int status = child.wait();
    if (WIFEXITED(status) && WEXITSTATUS(status) == kCannotMount) {
        GTEST_SKIP() << "may not mount a disk here";
    }
    ASSERT_EQ(status, 0) << said;
    std::size_t found = 0;
    for (std::size_t at = said.find("Read-only file system"); at != std::string::npos;
         at = said.find("Read-only file system", at + 1)) {
        ++found;
    }
    EXPECT_EQ(found, 3U) << said;
    EXPECT_NE(said.find("LLM_RESEARCH_HOME"), std::string::npos) << said;
}

}  // namespace
}  // namespace lab::storage
