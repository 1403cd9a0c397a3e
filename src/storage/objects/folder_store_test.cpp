#include "storage/objects/folder.h"
#include "storage/objects/impl/test_s3.h"
#include "storage/objects/s3_store.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>

// A folder with a store behind it: the same tests on a store in memory and on a bucket.
namespace lab::storage {
namespace {

using namespace std::chrono_literals;
using test::read_file;
using test::TestFolder;

class MemoryStore final : public ObjectStore {
  public:
    Status put_file(const Ctx&, const std::string& key, const std::string& path, const std::string&)
        override {
        LAB_CHECK(usable());
        if (!std::filesystem::exists(path)) {
            return Error(Code::io, "no such file");
        }
        objects[key] = read_file(path);
        ++puts;
        return ok();
    }
    Status get(
        const Ctx&, const std::string& key, const std::function<bool(std::string_view)>& sink
    ) override {
        LAB_CHECK(usable());
        ++gets;
        const auto found = objects.find(key);
        if (found == objects.end()) {
            return Error(Code::not_found, "no such object");
        }
        return sink(found->second) ? ok() : Status(Error(Code::cancelled, "enough"));
    }
    Status remove(const Ctx&, const std::string& key) override {
        LAB_CHECK(usable());
        objects.erase(key);
        return ok();
    }
    Status check(const Ctx&) override { return usable(); }
    Status usable() const { return away ? Error(Code::unavailable, "away") : ok(); }

    std::map<std::string, std::string> objects;
    int puts = 0;
    int gets = 0;
    bool away = false;
};

enum class Kind { memory, bucket };

struct FolderStoreTest : testing::TestWithParam<Kind> {
    void SetUp() override {
        if (GetParam() == Kind::memory) {
            store = std::make_shared<MemoryStore>();
            return;
        }
        const auto& server = test::s3_server();
        if (!server) {
            GTEST_SKIP() << test::kNoS3Server;
        }
        store = make_s3_store(
            clock,
            test::quick({.bucket = server->bucket, .endpoint = server->endpoint}),
            {.given = {server->access_key_id, server->secret_access_key}},
            {}
        );
    }
    ObjectFolder folder(const std::string& name, std::int64_t bytes_max = 1 << 20) const {
        return {home.file(name), store, bytes_max};
    }
    /// An object of one machine, and its name.
    ObjectName keep(const ObjectFolder& at, std::string_view bytes) const {
        auto writer = at.create();
        EXPECT_TRUE(writer && writer->write(bytes));
        const ObjectName name = rows_object(writer->commit().value());
        const Status kept = at.keep(ctx, name, "text/plain");
        EXPECT_TRUE(kept) << kept.error().message;
        return name;
    }
    /// Writes one that only this machine has.
    static bool write_alone(const ObjectFolder& at, std::string_view bytes) {
        auto writer = at.create();
        return writer && writer->write(bytes) && writer->commit();
    }
    /// As if it had not been used for an hour.
    static void make_old(const std::string& path) {
        struct stat info{};
        ASSERT_EQ(::stat(path.c_str(), &info), 0);
        timespec times[2] = {info.st_mtim, info.st_mtim};
        times[0].tv_sec -= 3600;
        times[1].tv_sec -= 3600;
        ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    }

    SystemClock clock;
    Ctx ctx = Ctx(clock).within(30s);
    TestFolder home;
    std::shared_ptr<ObjectStore> store;
};

TEST_P(FolderStoreTest, WhatOneMachineKeepsAnotherFetches) {
    const ObjectFolder here = folder("here");
    const ObjectFolder there = folder("there");
    const std::string bytes = test::noise(300'000);
    const ObjectName name = keep(here, bytes);
    EXPECT_EQ(name.key, "datasets/sha256/" + sha256_hex(bytes) + "/data.jsonl");
    EXPECT_FALSE(there.contains(name.hash));
    for (int i = 0; i < 2; ++i) {
        const auto path = there.fetch(ctx, name);
        ASSERT_TRUE(path) << path.error().message;
        EXPECT_EQ(*path, there.path_of(name.hash));
        EXPECT_TRUE(read_file(*path) == bytes);
    }
    ASSERT_TRUE(here.forget(ctx, name));
    const auto gone = folder("elsewhere").fetch(ctx, name);
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code, Code::upstream_error);
    EXPECT_EQ(gone.error().message, "the object store has lost an object: " + name.key);
    EXPECT_EQ(*there.fetch(ctx, name), there.path_of(name.hash)) << "what is here is enough";
}

TEST_P(FolderStoreTest, OtherBytesThanWereKeptAreNotTaken) {
    const ObjectFolder here = folder("here");
    const ObjectName name = keep(here, "the right bytes");
    ASSERT_TRUE(write_alone(here, "other bytes"));
    ASSERT_TRUE(store->put_file(ctx, name.key, here.path_of(sha256_hex("other bytes")), ""));
    const ObjectFolder there = folder("there");
    const auto got = there.fetch(ctx, name);
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code, Code::upstream_error);
    EXPECT_FALSE(there.contains(name.hash));
}

TEST_P(FolderStoreTest, OnlyWhatTheStoreHasTooMakesRoom) {
    const ObjectFolder here = folder("here", 2500);
    std::vector<ObjectName> names;
    for (const std::string& text :
         {std::string(1000, 'a'), std::string(1000, 'b'), std::string(1000, 'c')}) {
        names.push_back(keep(here, text));
    }
    ASSERT_TRUE(write_alone(here, std::string(1000, 'd')));
    const std::string unkept = sha256_hex(std::string(1000, 'd'));
    EXPECT_EQ(here.trim(), 0U) << "all were used just now";
    make_old(here.path_of(unkept));
    make_old(here.path_of(names[1].hash));
    EXPECT_EQ(here.trim(), 1U);
    EXPECT_FALSE(here.contains(names[1].hash));
    EXPECT_TRUE(here.contains(unkept)) << "nobody else has it";
    EXPECT_EQ(here.trim(), 0U) << "the limit holds";
    // One that was removed comes back, and then it is the oldest that goes.
    make_old(here.path_of(names[0].hash));
    ASSERT_TRUE(here.fetch(ctx, names[1]));
    EXPECT_FALSE(here.contains(names[0].hash));
    EXPECT_TRUE(here.contains(names[1].hash));
}

TEST_P(FolderStoreTest, AnObjectThatIsWrittenAgainHasToBeKeptAgain) {
    const ObjectFolder here = folder("here", 0);
    const ObjectName name = keep(here, "bytes");
    ASSERT_TRUE(write_alone(here, "bytes"));
    make_old(here.path_of(name.hash));
    EXPECT_EQ(here.trim(), 0U);
    ASSERT_TRUE(here.keep(ctx, name, "text/plain"));
    make_old(here.path_of(name.hash));
    EXPECT_EQ(here.trim(), 1U);
}

INSTANTIATE_TEST_SUITE_P(
    Stores,
    FolderStoreTest,
    testing::Values(Kind::memory, Kind::bucket),
    [](const auto& info) { return info.param == Kind::memory ? "Memory" : "Bucket"; }
);

TEST(FolderStore, NothingIsReportedThatTheStoreDoesNotHave) {
    SystemClock clock;
    const Ctx ctx(clock);
    const TestFolder home;
    const auto store = std::make_shared<MemoryStore>();
    const ObjectFolder here(home.file("here"), store, 1 << 20);
    store->away = true;
    auto writer = here.create();
    ASSERT_TRUE(writer && writer->write("bytes"));
    const ObjectName name = rows_object(writer->commit().value());
    const Status kept = here.keep(ctx, name, "text/plain");
    ASSERT_FALSE(kept);
    EXPECT_EQ(kept.error().code, Code::unavailable);
    EXPECT_TRUE(here.fetch(ctx, name)) << "what is on this machine can be read";
    const auto elsewhere = ObjectFolder(home.file("there"), store, 1 << 20).fetch(ctx, name);
    ASSERT_FALSE(elsewhere);
    EXPECT_EQ(elsewhere.error().code, Code::unavailable);
    EXPECT_EQ(here.trim(), 0U);
}

TEST(FolderStore, APathOfAnObjectSaysWhichItIs) {
    const std::string hash = sha256_hex("x");
    const ObjectFolder here("/some/home/objects");
    EXPECT_EQ(hash_of_path(here.path_of(hash)), hash);
    EXPECT_EQ(hash_of_path(here.path_of(hash) + ".idx"), "");
    EXPECT_EQ(hash_of_path(here.path_of(hash).substr(1 + here.root().size())), "");
    EXPECT_EQ(hash_of_path("/data/outputs.jsonl"), "");
    EXPECT_EQ(hash_of_path("/" + std::string(2, 'A') + "/" + std::string(62, 'a')), "");
    EXPECT_EQ(hash_of_path("/" + std::string(65, 'a')), "");
}

TEST(FolderStore, WithoutAStoreAFolderIsAll) {
    SystemClock clock;
    const Ctx ctx(clock);
    const TestFolder home;
    const ObjectFolder here(home.file("here"));
    const ObjectName name = rows_object(std::string(64, 'a'));
    EXPECT_FALSE(here.has_store());
    EXPECT_TRUE(here.keep(ctx, name, "text/plain"));
    EXPECT_TRUE(here.forget(ctx, name));
    EXPECT_EQ(*here.fetch(ctx, name), here.path_of(name.hash));
    EXPECT_EQ(here.trim(), 0U);
}

}  // namespace
}  // namespace lab::storage
