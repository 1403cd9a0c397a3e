#include "storage/objects/tar.h"

#include "storage/objects/impl/test_folder.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>

namespace lab::storage {
namespace {

std::string read_whole(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

void write_whole(const std::string& path, std::string_view bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
}

struct TarTest : testing::Test {
    test::TestFolder home;
    std::string path = home.file("a.tar");

    std::string write() {
        auto writer = TarWriter::create(path);
        EXPECT_TRUE(writer);
        EXPECT_TRUE(writer->add_text("begin.json", "{}"));
        write_whole(home.file("big"), big());
        EXPECT_TRUE(writer->add_file("objects/ab/cd", home.file("big")).value());
        EXPECT_FALSE(writer->add_file("objects/no", home.file("none")).value());
        EXPECT_TRUE(writer->add_text("empty", ""));
        EXPECT_TRUE(writer->finish());
        return read_whole(path);
    }
    static std::string big() { return std::string(300'000, 'x') + "end"; }

    /// What is in it, or what is wrong.
    std::map<std::string, std::string> read() const {
        std::map<std::string, std::string> out;
        const Status done = read_tar(path, [&](TarEntry& entry) -> Status {
            std::string& text = out[entry.name];
            char buffer[7777];
            for (;;) {
                LAB_TRY(const std::size_t got, entry.read(buffer, sizeof buffer));
                if (got == 0) {
                    return ok();
                }
                text.append(buffer, got);
            }
        });
        if (!done) {
            out["problem"] = done.error().message;
        }
        return out;
    }
};

TEST_F(TarTest, WhatIsWrittenIsRead) {
    write();
    const std::map<std::string, std::string> expected{
        {"begin.json", "{}"}, {"objects/ab/cd", big()}, {"empty", ""}
    };
    EXPECT_EQ(read(), expected);
    EXPECT_EQ(
        std::filesystem::status(path).permissions(),
        std::filesystem::perms::owner_read | std::filesystem::perms::owner_write
    );
    EXPECT_FALSE(TarWriter::create(path)) << "it is not written over";
}

TEST_F(TarTest, WhatWasNotFinishedIsGone) {
    {
        auto writer = TarWriter::create(path);
        ASSERT_TRUE(writer);
        ASSERT_TRUE(writer->add_text("a", "b"));
    }
    EXPECT_TRUE(std::filesystem::is_empty(std::filesystem::path(path).parent_path()));
}

TEST_F(TarTest, EntriesMayBeLeftUnread) {
    write();
    std::string names;
    ASSERT_TRUE(read_tar(path, [&](TarEntry& entry) {
        names += entry.name + " ";
        return ok();
    }));
    EXPECT_EQ(names, "begin.json objects/ab/cd empty ");
}

TEST_F(TarTest, AnArchiveThatIsCutOffIsNoArchive) {
    const std::string whole = write();
    for (const std::size_t size :
         std::to_array<std::size_t>({0, 100, 512, 700, 200'000, 301'000})) {
        write_whole(path, std::string_view(whole).substr(0, size));
        EXPECT_NE(read()["problem"].find("cut off"), std::string::npos) << size;
    }
}

TEST_F(TarTest, WhatIsDamagedOrLeadsElsewhereIsRefused) {
    const std::string whole = write();
    const auto with = [&](std::size_t at, std::string_view bytes, bool mend) {
        std::string bad = whole;
        bad.replace(at, bytes.size(), bytes);
        if (mend) {
            unsigned sum = 0;
            for (std::size_t i = 0; i < 512; ++i) {
                sum += i >= 148 && i < 156 ? 0x20U : static_cast<unsigned char>(bad[i]);
            }
            char text[9];
            std::snprintf(text, sizeof text, "%06o", sum);
            bad.replace(148, 7, std::string(text, 6) + '\0');
        }
        write_whole(path, bad);
        return read()["problem"];
    };
    EXPECT_NE(with(0, "x", false).find("damaged"), std::string::npos);
    EXPECT_EQ(with(0, "x", true), "");
    for (const char* name : {"/etc/passwd", "../up", "a/../../b", "a//b", ".hidden", "a b"}) {
        EXPECT_NE(
            with(0, std::string(name) + std::string(20, '\0'), true).find("name"), std::string::npos
        ) << name;
    }
    EXPECT_NE(with(156, "2", true).find("plain files"), std::string::npos) << "a link";
    EXPECT_NE(with(124, "zz", true).find("plain files"), std::string::npos) << "no size";
}

TEST_F(TarTest, OthersReadIt) {
    write();
    const std::string out = home.file("out");
    std::filesystem::create_directory(out);
    ASSERT_EQ(std::system(("tar -xf " + path + " -C " + out).c_str()), 0);
    EXPECT_EQ(read_whole(out + "/objects/ab/cd"), big());
    ASSERT_EQ(
        std::system(
            ("cd " + out + " && tar --format=ustar -cf ../b.tar begin.json objects/ab/cd").c_str()
        ),
        0
    );
    path = home.file("b.tar");
    EXPECT_EQ(read().at("objects/ab/cd"), big());
}

}  // namespace
}  // namespace lab::storage
