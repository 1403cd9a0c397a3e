#include "platform/data/parquet_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

namespace lab {
namespace {

const std::string kLibrary = LAB_SOURCE_DIR "/build/duckdb/libduckdb.so";
const std::string kData = LAB_SOURCE_DIR "/tests/data/parquet/";

std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

/// tools/duckdb.py fetches the library; without it these tests cannot be.
class Parquet : public testing::Test {
  protected:
    Parquet() {
        std::string name = (std::filesystem::temp_directory_path() / "lab-parquet-XXXXXX").string();
        EXPECT_NE(::mkdtemp(name.data()), nullptr);
        folder_ = name;
    }
    ~Parquet() override {
        std::error_code ignored;
        std::filesystem::remove_all(folder_, ignored);
    }
    void SetUp() override {
        if (!std::filesystem::exists(kLibrary)) {
            GTEST_SKIP() << "there is no " << kLibrary << ": tools/duckdb.py fetches it";
        }
    }
    std::string file(const std::string& name, const std::string& bytes) {
        const std::string path = folder_ + "/" + name;
        std::ofstream(path, std::ios::binary) << bytes;
        return path;
    }
    /// Rows as JSON, then what ended it.
    static std::vector<std::string> read(const std::string& path) {
        std::vector<std::string> out;
        auto reader = open_parquet(path, kLibrary);
        if (!reader) {
            out.push_back(reader.error().message);
            return out;
        }
        DataRow row;
        while (true) {
            const auto more = (*reader)->next(row);
            if (!more) {
                out.push_back(more.error().message);
                if ((*reader)->broken()) {
                    return out;
                }
                continue;
            }
            if (!*more) {
                return out;
            }
            out.push_back(dump_json(row.value));
        }
    }
    std::string folder_;
};

TEST_F(Parquet, KeepsEveryKindOfValue) {
    const auto rows = read(kData + "kinds.parquet");
    ASSERT_EQ(rows.size(), 3U) << rows.at(0);
    const Json one = Json::parse(rows[0]);
    EXPECT_EQ(one["id"], 1);
    EXPECT_EQ(one["question"], "What is 2+2?");
    EXPECT_EQ(one["score"], 0.1);
    EXPECT_EQ(one["good"], true);
    EXPECT_EQ(one["tags"], Json::parse(R"(["a", "b"])"));
    EXPECT_EQ(one["meta"], Json::parse(R"({"source": "x", "n": 1})"));
    EXPECT_EQ(one["at"], "2026-01-02 03:04:05");
    EXPECT_EQ(one["big"], std::numeric_limits<std::int64_t>::max());
    const Json two = Json::parse(rows[1]);
    EXPECT_EQ(
        two["question"],
        "Gr\xc3\xbc\xc3\x9f"
        "e, \xe4\xb8\x96\xe7\x95\x8c \xf0\x9f\x98\x80"
    );
    EXPECT_EQ(two["score"], -1e300);
    EXPECT_TRUE(two["good"].is_null());
    EXPECT_EQ(two["tags"], Json::array());
    const Json three = Json::parse(rows[2]);
    EXPECT_EQ(three["question"], "a \"quoted\"\nline");
    EXPECT_TRUE(three["score"].is_null());
    EXPECT_TRUE(three["meta"].is_null());
}

TEST_F(Parquet, StreamsAllRowsInTheirOrder) {
    auto reader = open_parquet(kData + "rows.parquet", kLibrary);
    ASSERT_TRUE(reader) << reader.error().message;
    DataRow row;
    for (std::int64_t i = 0; i < 5000; ++i) {
        const auto more = (*reader)->next(row);
        ASSERT_TRUE(more) << more.error().message;
        ASSERT_TRUE(*more);
        ASSERT_EQ(row.value["id"], i);
        ASSERT_EQ(row.value["answer"], std::to_string(2 * i));
        ASSERT_EQ(row.line, i + 1);
    }
    EXPECT_FALSE((*reader)->next(row).value());
    EXPECT_FALSE((*reader)->next(row).value()) << "the end stays the end";
    EXPECT_FALSE((*reader)->broken());
}

TEST_F(Parquet, WithoutRowsHasNone) { EXPECT_TRUE(read(kData + "empty.parquet").empty()); }

TEST_F(Parquet, IsOneFileWhateverItsNameLooksLike) {
    const std::string bytes = bytes_of(kData + "kinds.parquet");
    file("a.parquet", bytes);
    file("b.parquet", bytes);
    const std::string odd = file("[ab]*.parquet", bytes);
    EXPECT_EQ(read(odd).size(), 3U);
    const std::string none = folder_ + "/*.parquet?x'; DROP";
    EXPECT_NE(read(none).at(0).find("cannot read"), std::string::npos);
    EXPECT_NE(read("https://example.org/x.parquet").at(0).find("cannot read"), std::string::npos);
    EXPECT_NE(read(folder_).at(0).find("no plain file"), std::string::npos);
}

TEST_F(Parquet, ThatIsBrokenIsRefused) {
    const std::string good = bytes_of(kData + "rows.parquet");
    const auto refused = [&](const std::string& name, const std::string& bytes) {
        const auto reader = open_parquet(file(name, bytes), kLibrary);
        EXPECT_FALSE(reader) << name;
        EXPECT_EQ(reader ? Code::internal : reader.error().code, Code::validation) << name;
        return reader ? "" : reader.error().message;
    };
    EXPECT_NE(refused("nothing", "").find("PAR1"), std::string::npos);
    EXPECT_NE(refused("text", "{\"a\": 1}\n{\"a\": 2}\n").find("PAR1"), std::string::npos);
    EXPECT_NE(refused("cut", good.substr(0, good.size() / 2)).find("missing"), std::string::npos);
    EXPECT_FALSE(refused("magic alone", "PAR1PAR1PAR1").empty());
    std::string long_footer = good;
    long_footer.replace(long_footer.size() - 8, 4, "\xff\xff\xff\x7f", 4);
    const std::string words = refused("long footer", long_footer);
    EXPECT_EQ(words.find("/proc/"), std::string::npos) << words;
}

// Whatever byte is changed: rows or an error, never a crash, never an end without either.
TEST_F(Parquet, WithDamageAnywhereEndsInOrder) {
    const std::string good = bytes_of(kData + "kinds.parquet");
    std::uint64_t state = 7;
    for (int round = 0; round < 150; ++round) {
        std::string bytes = good;
        for (int i = 0; i < 1 + round % 3; ++i) {
            state = state * 6364136223846793005ULL + 1442695040888963407ULL;
            bytes[(state >> 33U) % bytes.size()] = static_cast<char>(state >> 25U);
        }
        const auto out = read(file("damaged", bytes));
        EXPECT_LE(out.size(), 100U) << round;
    }
}

TEST(ParquetWithoutItsLibrary, SaysHowToGoOn) {
    const auto reader = open_parquet(kData + "kinds.parquet", "/nowhere/libduckdb.so");
    ASSERT_FALSE(reader);
    EXPECT_EQ(reader.error().code, Code::unavailable);
    EXPECT_NE(reader.error().message.find("LAB_DUCKDB_LIBRARY"), std::string::npos);
    EXPECT_NE(reader.error().message.find("JSONL"), std::string::npos);
}

}  // namespace
}  // namespace lab
