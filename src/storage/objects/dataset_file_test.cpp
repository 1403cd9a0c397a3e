#include "storage/objects/dataset_file.h"

#include "storage/objects/dataset_import.h"
#include "storage/objects/impl/test_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>

namespace lab::storage {
namespace {

using test::files_below;
using test::read_file;
using test::TestFolder;
using test::write_file;

std::string row_text(int i) {
    return "{\"n\":" + std::to_string(i) + ",\"text\":\"" +
           std::string(static_cast<std::size_t>(i % 50), 'x') + "\"}";
}

ImportedRows make_rows(const TestFolder& home, int count) {
    auto writer = DatasetWriter::create(ObjectFolder(home.path()));
    EXPECT_TRUE(writer);
    for (int i = 0; i < count; ++i) {
        EXPECT_TRUE(writer->add(row_text(i)));
    }
    auto made = writer->commit();
    EXPECT_TRUE(made);
    return *made;
}

void expect_rows(const DatasetFile& file, int count) {
    ASSERT_EQ(file.rows(), count);
    for (int i = 0; i < count; ++i) {
        ASSERT_EQ(file.row(i), row_text(i)) << i;
    }
}

TEST(DatasetFile, GivesRowsInAnyOrder) {
    const TestFolder home;
    const ImportedRows made = make_rows(home, 1000);
    const auto file = DatasetFile::open(made.path);
    ASSERT_TRUE(file) << file.error().message;
    expect_rows(*file, 1000);
    EXPECT_EQ(file->row(999), row_text(999));
    EXPECT_EQ(file->row(0), row_text(0));
    EXPECT_TRUE(file->verify());
}

TEST(DatasetFile, MakesAMissingIndexAgainWithoutLeavings) {
    const TestFolder home;
    const ImportedRows made = make_rows(home, 1000);
    const std::string index = read_file(made.path + ".idx");
    ASSERT_EQ(::unlink((made.path + ".idx").c_str()), 0);
    const auto file = DatasetFile::open(made.path);
    ASSERT_TRUE(file) << file.error().message;
    expect_rows(*file, 1000);
    EXPECT_EQ(read_file(made.path + ".idx"), index);
    EXPECT_EQ(files_below(home.path()).size(), 2U);
}

TEST(DatasetFile, NeverTrustsADamagedIndex) {
    const TestFolder home;
    const ImportedRows made = make_rows(home, 300);
    const std::string index = read_file(made.path + ".idx");
    ASSERT_EQ(index.size(), 300U * 8 + 32);
    std::vector<std::string> damaged = {
        "",
        "x",
        index.substr(0, 8),
        index.substr(0, 800),
        index.substr(0, index.size() - 8),
        index.substr(8),
        index + std::string(8, '\0'),
        std::string(index.size(), '\0'),
        std::string(index.size(), '\xff'),
    };
    for (std::size_t at = 0; at < index.size(); at += 37) {
        std::string flipped = index;
        flipped[at] = static_cast<char>(flipped[at] ^ 1);
        damaged.push_back(flipped);
    }
    for (std::size_t i = 0; i < damaged.size(); ++i) {
        write_file(made.path + ".idx", damaged[i]);
        const auto file = DatasetFile::open(made.path);
        ASSERT_TRUE(file) << i << file.error().message;
        expect_rows(*file, 300);
        ASSERT_EQ(read_file(made.path + ".idx"), index) << i;
    }
}

TEST(DatasetFile, ReadsWhereNoIndexCanBeKept) {
    const TestFolder home;
    const ImportedRows made = make_rows(home, 1000);
    ASSERT_EQ(::unlink((made.path + ".idx").c_str()), 0);
    // A folder of the index's name cannot be replaced by a file, whoever tries.
    ASSERT_EQ(::mkdir((made.path + ".idx").c_str(), 0700), 0);
    write_file(made.path + ".idx/occupied", "");
    const auto file = DatasetFile::open(made.path);
    ASSERT_TRUE(file) << file.error().message;
    expect_rows(*file, 1000);
}

TEST(DatasetFile, SaysThatAFileIsCutOrChanged) {
    const TestFolder home;
    const ImportedRows made = make_rows(home, 100);
    std::string bytes = read_file(made.path);
    std::string changed = bytes;
    changed[5] = '9';
    write_file(made.path, changed);
    const auto file = DatasetFile::open(made.path);
    ASSERT_TRUE(file);
    const Status verdict = file->verify();
    ASSERT_FALSE(verdict);
    EXPECT_EQ(verdict.error().code, Code::io);
    EXPECT_NE(verdict.error().message.find("is damaged"), std::string::npos);

    write_file(made.path, bytes.substr(0, bytes.size() - 3));
    const auto cut = DatasetFile::open(made.path);
    ASSERT_FALSE(cut);
    EXPECT_NE(cut.error().message.find("cut off"), std::string::npos) << cut.error().message;
}

TEST(DatasetFile, SaysThatAFileIsMissingOrNone) {
    const TestFolder home;
    EXPECT_EQ(DatasetFile::open(home.file("none")).error().code, Code::io);
    EXPECT_EQ(DatasetFile::open(home.path()).error().code, Code::io);
}

std::int64_t resident_bytes_of(const std::string& path) {
    std::ifstream maps("/proc/self/smaps");
    std::string line;
    bool ours = false;
    std::int64_t kib = 0;
    while (std::getline(maps, line)) {
        if (line.find('-') != std::string::npos && line.find(' ') > line.find('-')) {
            ours = line.ends_with(path);
        } else if (ours && line.starts_with("Rss:")) {
            kib += std::strtoll(line.c_str() + 4, nullptr, 10);
        }
    }
    return kib * 1024;
}

TEST(DatasetFile, MemoryDoesNotGrowWithTheFile) {
    const TestFolder home;
    auto writer = DatasetWriter::create(ObjectFolder(home.path()));
    ASSERT_TRUE(writer);
    constexpr std::int64_t kRows = 200'000;
    const std::string padding(600, 'x');
    for (std::int64_t i = 0; i < kRows; ++i) {
        ASSERT_TRUE(writer->add(std::to_string(i) + padding));
    }
    const auto made = writer->commit();
    ASSERT_TRUE(made);
    ASSERT_GT(made->bytes, 120'000'000);
    const auto file = DatasetFile::open(made->path);
    ASSERT_TRUE(file);
    std::int64_t most = 0;
    std::int64_t row = 0;
    for (std::int64_t i = 0; i < kRows; ++i) {
        row = (row + 77'773) % kRows;  // a step without a common factor: every row once, far apart
        ASSERT_TRUE(file->row(row).starts_with(std::to_string(row)));
        if (i % 5'000 == 0) {
            most = std::max(most, resident_bytes_of(made->path));
        }
    }
    EXPECT_GT(most, 0);
    EXPECT_LT(most, 48'000'000);
    ASSERT_TRUE(file->verify());
    EXPECT_LT(resident_bytes_of(made->path), 48'000'000);
}

}  // namespace
}  // namespace lab::storage
