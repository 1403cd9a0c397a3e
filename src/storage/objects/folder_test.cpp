#include "storage/objects/folder.h"

#include "base/text.h"
#include "storage/objects/file_error.h"
#include "storage/objects/impl/temp_file.h"
#include "storage/objects/impl/test_folder.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cerrno>

namespace lab::storage {
namespace {

using test::files_below;
using test::read_file;
using test::TestFolder;
using test::write_file;

TEST(ObjectFolder, NamesAnObjectByItsContent) {
    const TestFolder home;
    const ObjectFolder folder(home.file("a/b/objects"));
    auto writer = folder.create();
    ASSERT_TRUE(writer) << writer.error().message;
    ASSERT_TRUE(writer->write("ab"));
    ASSERT_TRUE(writer->write("c"));
    const auto hash = writer->commit();
    ASSERT_TRUE(hash) << hash.error().message;
    // FIPS 180-4, example "abc".
    EXPECT_EQ(*hash, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    EXPECT_TRUE(folder.contains(*hash));
    EXPECT_FALSE(folder.contains(std::string(64, '0')));
    EXPECT_EQ(folder.path_of(*hash), folder.root() + "/ba/" + hash->substr(2));
    EXPECT_EQ(read_file(folder.path_of(*hash)), "abc");
    EXPECT_EQ(files_below(folder.root()).size(), 1U);
}

TEST(ObjectFolder, WritesLargeObjectsWhole) {
    const TestFolder home;
    const ObjectFolder folder(home.path());
    std::string bytes;
    for (int i = 0; i < 200'000; ++i) {
        bytes += std::to_string(i);
    }
    auto writer = folder.create();
    ASSERT_TRUE(writer);
    for (std::size_t at = 0; at < bytes.size(); at += 1000) {
        ASSERT_TRUE(writer->write(std::string_view(bytes).substr(at, 1000)));
    }
    const auto hash = writer->commit();
    ASSERT_TRUE(hash);
    EXPECT_EQ(*hash, sha256_hex(bytes));
    EXPECT_EQ(read_file(folder.path_of(*hash)), bytes);
}

TEST(ObjectFolder, AnAbandonedWriterLeavesNothing) {
    const TestFolder home;
    const ObjectFolder folder(home.path());
    {
        auto writer = folder.create();
        ASSERT_TRUE(writer);
        ASSERT_TRUE(writer->write(std::string(1 << 20, 'x')));
        EXPECT_EQ(files_below(home.path()).size(), 1U);
    }
    EXPECT_TRUE(files_below(home.path()).empty());
}

TEST(ObjectFolder, ADamagedObjectIsReplacedByTheSameContent) {
    const TestFolder home;
    const ObjectFolder folder(home.path());
    const std::string path = folder.path_of(sha256_hex("abc"));
    ASSERT_TRUE(make_folders(path.substr(0, path.find_last_of('/'))));
    write_file(path, "abX");
    auto writer = folder.create();
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->write("abc"));
    ASSERT_TRUE(writer->commit());
    EXPECT_EQ(read_file(path), "abc");
}

TEST(ObjectFolder, RemovesWhatAKilledWriterLeftButNotWhatIsBeingWritten) {
    const TestFolder home;
    const ObjectFolder folder(home.path());
    auto living = folder.create();
    ASSERT_TRUE(living);
    const pid_t child = ::fork();
    if (child == 0) {
        auto writer = folder.create();
        const bool wrote = writer && writer->write(std::string(1 << 20, 'x'));
        ::_exit(wrote ? 0 : 1);  // without destructors, as a kill would end it
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    ASSERT_EQ(files_below(home.path()).size(), 2U);
    auto next = folder.create();
    ASSERT_TRUE(next);
    EXPECT_EQ(files_below(home.path()).size(), 2U);  // of `living` and of `next`
    ASSERT_TRUE(living->write("abc"));
    EXPECT_TRUE(living->commit());
}

TEST(ObjectFolder, SaysThatAPlaceCannotBeWritten) {
    const auto writer = ObjectFolder("/proc/no-such-folder/objects").create();
    ASSERT_FALSE(writer);
    EXPECT_EQ(writer.error().code, Code::io);
    EXPECT_NE(writer.error().message.find("/proc/no-such-folder"), std::string::npos);

    const TestFolder home;
    write_file(home.file("objects"), "a file");
    const auto blocked = ObjectFolder(home.file("objects")).create();
    ASSERT_FALSE(blocked);
    EXPECT_NE(blocked.error().message.find("Not a directory"), std::string::npos)
        << blocked.error().message;
}

TEST(FileError, SaysWhatToDo) {
    EXPECT_NE(file_error("write", "/x/y", ENOSPC).message.find("no space left"), std::string::npos);
    EXPECT_NE(file_error("write", "/x/y", EDQUOT).message.find("/x/y"), std::string::npos);
    EXPECT_NE(file_error("write", "/x/y", EFBIG).message.find("ulimit"), std::string::npos);
    const Error denied = file_error("write", "/x/y", EROFS);
    EXPECT_EQ(denied.code, Code::io);
    EXPECT_NE(denied.message.find("Read-only file system"), std::string::npos);
    EXPECT_NE(denied.message.find("LLM_RESEARCH_HOME"), std::string::npos);
}

}  // namespace
}  // namespace lab::storage
