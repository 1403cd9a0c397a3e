#include "storage/objects/dataset_import.h"

#include "storage/objects/dataset_file.h"
#include "storage/objects/impl/test_folder.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using test::files_below;
using test::read_file;
using test::TestFolder;

TEST(DatasetWriter, NamesRowsByTheirHashWithNewlines) {
    const TestFolder home;
    const ObjectFolder folder(home.path());
    auto writer = DatasetWriter::create(folder);
    ASSERT_TRUE(writer) << writer.error().message;
    ASSERT_TRUE(writer->add(R"({"a":1})"));
    ASSERT_TRUE(writer->add(R"({"a":"ü"})"));
    EXPECT_EQ(writer->rows(), 2);
    const auto made = writer->commit();
    ASSERT_TRUE(made) << made.error().message;
    const std::string text = "{\"a\":1}\n{\"a\":\"ü\"}\n";
    EXPECT_EQ(made->hash, sha256_hex(text));
    EXPECT_EQ(made->rows, 2);
    EXPECT_EQ(made->bytes, static_cast<std::int64_t>(text.size()));
    EXPECT_EQ(made->path, folder.path_of(made->hash));
    EXPECT_EQ(read_file(made->path), text);
    EXPECT_EQ(files_below(home.path()).size(), 2U);  // rows and index
}

TEST(DatasetWriter, TheSameRowsGiveTheSameObject) {
    const TestFolder home;
    const ObjectFolder folder(home.path());
    std::vector<std::string> hashes;
    for (int i = 0; i < 2; ++i) {
        auto writer = DatasetWriter::create(folder);
        ASSERT_TRUE(writer);
        ASSERT_TRUE(writer->add("{}"));
        const auto made = writer->commit();
        ASSERT_TRUE(made);
        hashes.push_back(made->hash);
    }
    EXPECT_EQ(hashes[0], hashes[1]);
    EXPECT_EQ(files_below(home.path()).size(), 2U);
}

TEST(DatasetWriter, LeavesNothingWhenGivenUp) {
    const TestFolder home;
    const ObjectFolder folder(home.path());
    {
        auto writer = DatasetWriter::create(folder);
        ASSERT_TRUE(writer);
        for (int i = 0; i < 100'000; ++i) {
            ASSERT_TRUE(writer->add("{\"n\":" + std::to_string(i) + "}"));
        }
    }
    EXPECT_TRUE(files_below(home.path()).empty());
}

TEST(DatasetWriter, RefusesWhatIsNotOneLine) {
    const TestFolder home;
    auto writer = DatasetWriter::create(ObjectFolder(home.path()));
    ASSERT_TRUE(writer);
    EXPECT_EQ(writer->add("{}\n{}").error().code, Code::validation);
    EXPECT_EQ(writer->add("").error().code, Code::validation);
    EXPECT_EQ(writer->rows(), 0);
}

TEST(DatasetWriter, ADatasetMayBeEmpty) {
    const TestFolder home;
    auto writer = DatasetWriter::create(ObjectFolder(home.path()));
    ASSERT_TRUE(writer);
    const auto made = writer->commit();
    ASSERT_TRUE(made);
    EXPECT_EQ(made->rows, 0);
    const auto file = DatasetFile::open(made->path);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->rows(), 0);
    EXPECT_TRUE(file->verify());
}

}  // namespace
}  // namespace lab::storage
