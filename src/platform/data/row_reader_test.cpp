#include "platform/data/row_reader.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace lab {
namespace {

class DataFile {
  public:
    explicit DataFile(const std::string& bytes) {
        static int number = 0;
        path_ = testing::TempDir() + "lab_rows_" + std::to_string(::getpid()) + "_" +
                std::to_string(++number);
        std::ofstream(path_, std::ios::binary) << bytes;
    }
    ~DataFile() { std::remove(path_.c_str()); }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

struct Outcome {
    std::vector<std::string> rows;
    std::vector<std::int64_t> lines;
    std::vector<std::string> errors;
};

Outcome read_all(const std::string& bytes, const std::string& format) {
    const DataFile file(bytes);
    Outcome out;
    auto reader = open_rows(file.path(), format);
    if (!reader) {
        out.errors.push_back(reader.error().message);
        return out;
    }
    DataRow row;
    while (true) {
        const auto more = (*reader)->next(row);
        if (!more) {
            out.errors.push_back(more.error().message);
            if ((*reader)->broken()) {
                return out;
            }
            continue;
        }
        if (!*more) {
            return out;
        }
        out.rows.push_back(canonical_json(row.value));
        out.lines.push_back(row.line);
    }
}

using Rows = std::vector<std::string>;
using Lines = std::vector<std::int64_t>;

TEST(Jsonl, ReadsObjectsLineByLine) {
    const Outcome out = read_all("\xef\xbb\xbf{\"a\":1}\r\n\n  \n{\"a\":\"x\u2028y\"}", "jsonl");
    EXPECT_EQ(out.rows, (Rows{"{\"a\":1}", "{\"a\":\"x\u2028y\"}"}));
    EXPECT_EQ(out.lines, (Lines{1, 4}));
    EXPECT_TRUE(out.errors.empty());
}

TEST(Jsonl, NamesTheLineOfEveryBadRowAndGoesOn) {
    const Outcome out =
        read_all("{\"a\":1}\n{\"a\":}\n[1]\n{\"a\":\"\xff\"}\n{\"a\":2}\n", "jsonl");
    EXPECT_EQ(out.rows.size(), 2U);
    ASSERT_EQ(out.errors.size(), 3U);
    EXPECT_TRUE(out.errors[0].starts_with("line 2: ")) << out.errors[0];
    EXPECT_TRUE(out.errors[1].starts_with("line 3: a row is a JSON object")) << out.errors[1];
    EXPECT_TRUE(out.errors[2].starts_with("line 4: invalid UTF-8")) << out.errors[2];
}

TEST(Jsonl, ALineBeyondTheLimitEndsTheFileWithItsNumber) {
    const Outcome out = read_all(
        "{}\n{\"a\":\"" + std::string(RowReader::kRowBytesMax, 'x') + "\"}\n{}\n", "jsonl"
    );
    EXPECT_EQ(out.rows.size(), 1U);
    EXPECT_EQ(out.errors, Rows{"line 2: longer than 16 MiB, the limit of a row"});
}

TEST(JsonArray, StreamsTheElements) {
    const Outcome out =
        read_all("[\n {\"a\": \"],{\\\"\"},\n {\"b\": [1, {\"c\": 2}]}\n]\n", "json");
    EXPECT_EQ(out.rows, (Rows{R"({"a":"],{\""})", R"({"b":[1,{"c":2}]})"}));
    EXPECT_EQ(out.lines, (Lines{2, 3}));
}

TEST(JsonArray, TakesTheOneArrayOfAnObject) {
    const std::string text =
        R"({"canary": "x \" [", "n": 12, "meta": {"k": [1]}, "rows": [{"a":1},{"a":2}], "z": true})";
    EXPECT_EQ(read_all(text, "json").rows, (Rows{R"({"a":1})", R"({"a":2})"}));
    EXPECT_TRUE(read_all(text, "json").errors.empty());
    EXPECT_EQ(read_all("[]", "json").rows.size(), 0U);
    EXPECT_EQ(read_all(R"({"a": []})", "json").errors.size(), 0U);
}

TEST(JsonArray, SaysWhatIsWrong) {
    EXPECT_EQ(
        read_all("[{\"a\":1}", "json").errors, Rows{"line 1: the file ends inside the array"}
    );
    EXPECT_EQ(read_all("[{\"a\":1", "json").errors, Rows{"line 1: the file ends inside a row"});
    EXPECT_EQ(read_all("12", "json").errors.size(), 1U);
    EXPECT_EQ(read_all("", "json").errors.size(), 1U);
    EXPECT_EQ(
        read_all("{\"a\":1}", "json").errors, Rows{"line 1: the object has no array of objects"}
    );
    EXPECT_EQ(read_all("[{}] x", "json").errors.size(), 1U);
    EXPECT_EQ(read_all("[1, {\"a\":1}]", "json").rows.size(), 1U);
    EXPECT_EQ(read_all("[{\"a\":1} {\"a\":2}]", "json").errors, Rows{"line 1: expected a comma"});
    EXPECT_EQ(read_all(R"({"a":[{}],"b":[{}]})", "json").errors.size(), 1U);
}

TEST(Csv, ReadsQuotesLineBreaksAndWindowsLineEnds) {
    const Outcome out = read_all(
        "\xef\xbb\xbfid,text\r\n1,\"a \"\"quoted\"\" word\"\r\n2,\"two\nlines, one cell\"\r\n3, "
        "kept "
        "\r\n",
        "csv"
    );
    EXPECT_EQ(
        out.rows,
        (Rows{
            R"({"id":"1","text":"a \"quoted\" word"})",
            R"({"id":"2","text":"two\nlines, one cell"})",
            R"({"id":"3","text":" kept "})"
        })
    );
    EXPECT_EQ(out.lines, (Lines{2, 3, 5}));
    EXPECT_TRUE(out.errors.empty());
}

TEST(Csv, EmptyLinesAreNoRows) {
    const Outcome out = read_all("a,b\n\n1,2\n\r\n\n3,4\n", "csv");
    EXPECT_EQ(out.rows.size(), 2U);
    EXPECT_EQ(out.lines, (Lines{3, 6}));
    EXPECT_TRUE(out.errors.empty());
}

TEST(Csv, TabsSeparateTsv) {
    EXPECT_EQ(read_all("a\tb\n1,5\t\"x\ty\"\n", "tsv").rows, Rows{R"({"a":"1,5","b":"x\ty"})"});
}

TEST(Csv, SaysWhatIsWrongAndWhere) {
    EXPECT_EQ(
        read_all("a,b\n1\n1,2\n1,2,3\n", "csv").errors,
        (Rows{"line 2: 1 cells, the header has 2", "line 4: 3 cells, the header has 2"})
    );
    EXPECT_EQ(
        read_all("a,a\n1,2\n", "csv").errors,
        Rows{"line 1: the header names the column \"a\" twice"}
    );
    EXPECT_EQ(read_all("", "csv").errors.size(), 1U);
    EXPECT_EQ(
        read_all("a\n1\n\"open\n", "csv").errors, Rows{"line 3: the file ends inside a quoted cell"}
    );
    EXPECT_EQ(read_all("a\nx\"y\n", "csv").errors.size(), 1U);
    EXPECT_EQ(
        read_all("a\n\xff\nz\n", "csv").errors, Rows{"line 2: invalid UTF-8 in column \"a\""}
    );
}

TEST(Rows, AnUnterminatedGiantCellIsRefusedAtTheLimit) {
    std::string text = "a\n\"";
    for (int i = 0; i < 300'000; ++i) {
        text += "0123456789012345678901234567890123456789012345678901234567890\n";
    }
    const Outcome out = read_all(text, "csv");
    EXPECT_EQ(out.errors, Rows{"line 2: longer than 16 MiB, the limit of a row"});
}

TEST(Rows, FormatsAreToldFromNames) {
    EXPECT_EQ(data_format_of_path("x/Y.JSONL").value(), "jsonl");
    EXPECT_EQ(data_format_of_path("a.tsv").value(), "tsv");
    EXPECT_FALSE(data_format_of_path("a.txt"));
    EXPECT_EQ(open_rows("/nonexistent/x.jsonl", "jsonl").error().code, Code::not_found);
    EXPECT_FALSE(open_rows(testing::TempDir(), "jsonl"));
}

}  // namespace
}  // namespace lab
