#include "platform/data/row_reader.h"

#include "platform/data/impl/readers.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
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

Outcome drain(RowReader& reader) {
    Outcome out;
    DataRow row;
    while (true) {
        const auto more = reader.next(row);
        if (!more) {
            out.errors.push_back(more.error().message);
            if (reader.broken()) {
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

Outcome read_all(const std::string& bytes, const std::string& format) {
    const DataFile file(bytes);
    auto reader = open_rows(file.path(), format);
    if (!reader) {
        return {.rows = {}, .lines = {}, .errors = {reader.error().message}};
    }
    return drain(**reader);
}

/// With the file read in pieces of a few bytes.
Outcome read_in_pieces(const std::string& bytes, const std::string& format, std::size_t size) {
    const DataFile file(bytes);
    data::ByteSource source = data::ByteSource::open(file.path(), size).value();
    const auto reader = format == "jsonl"  ? data::make_jsonl_reader(std::move(source))
                        : format == "json" ? data::make_json_reader(std::move(source))
                                           : data::make_csv_reader(std::move(source), ',');
    return drain(*reader);
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

TEST(JsonArray, WhatStandsBesideTheRowsIsJsonToo) {
    for (const char* text :
         {R"({"rows":[{}],,"n":1})",
          R"({,"rows":[{}]})",
          R"({"rows":[{}],})",
          R"({"rows":[{}]"n":1})",
          R"({"n":bogus,"rows":[{}]})",
          R"({"n":1 2,"rows":[{}]})",
          R"({"n":{"a" 1},"rows":[{}]})",
          R"({"n\x":1,"rows":[{}]})",
          R"({"n":,"rows":[{}]})",
          R"({"a\q":[{}]})"}) {
        const Outcome out = read_all(text, "json");
        EXPECT_EQ(out.errors.size(), 1U) << text;
    }
    EXPECT_EQ(read_all("{\"n\":bogus,\n\"rows\":[{}]}", "json").rows.size(), 0U)
        << "nothing is taken of a file that begins with a mistake";
    EXPECT_TRUE(
        read_all(R"({ "n" : -1.5e3 , "rows" : [ { } ] , "t" : "\"" })", "json").errors.empty()
    );
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
        (Rows{"line 2: 1 cell, the header has 2", "line 4: 3 cells, the header has 2"})
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

TEST(Rows, DoNotDependOnWhereThePiecesOfTheFileEnd) {
    const std::vector<std::pair<std::string, std::string>> files = {
        {"jsonl", "\xef\xbb\xbf{\"a\":1}\r\n\r\n{\"b\":\"\xc3\xa4\\n\"}\n{bad}\n{\"c\":null}"},
        {"json",
         "\xef\xbb\xbf{\"canary\": 123456, \"t\": \"a \\\" [b\",\n\"m\": {\"x\": [1, \"}\"]}, "
         "\"f\": "
         "true,\n\"rows\": [{\"a\": \"],{\\\"\"},\n 12345,\n {\"b\": [1, {\"c\": 2}]}], \"z\": "
         "-1.5e3}\n"},
        {"csv",
         "\xef\xbb\xbfid,text\r\n1,\"a \"\"quoted\"\" "
         "word\"\r\n\r\n2,\"two\r\nlines\"\n\"3\",\"\"\n4\n,"
         "x\n\"\n\",y"},
        {"csv", "a,b\r1,2\r\r3,\"x\ry\"\r5,6"},
    };
    for (const auto& [format, bytes] : files) {
        const Outcome whole = read_all(bytes, format);
        EXPECT_FALSE(whole.rows.empty()) << format;
        for (const std::size_t size : {4U, 5U, 6U, 7U, 11U, 16U}) {
            const Outcome pieces = read_in_pieces(bytes, format, size);
            EXPECT_EQ(pieces.rows, whole.rows) << format << " " << size;
            EXPECT_EQ(pieces.lines, whole.lines) << format << " " << size;
            EXPECT_EQ(pieces.errors, whole.errors) << format << " " << size;
        }
    }
}

TEST(Rows, NameTheColumnWhereTheyCan) {
    const std::string line = read_all("{}\n{\"a\": tru}\n", "jsonl").errors.at(0);
    EXPECT_TRUE(line.starts_with("line 2: not JSON: ") && line.ends_with(" (column 10)")) << line;
    const Outcome array = read_all("[{\"a\":1},\n {\"b\":\n   1,\n  \"c\" 2},\n {}]", "json");
    EXPECT_EQ(array.rows.size(), 2U);
    const std::string& below = array.errors.at(0);
    EXPECT_TRUE(below.starts_with("line 4: not JSON: ") && below.ends_with(" (column 7)")) << below;
    const std::string beside = read_all("[{}, {\"a\" 1}]", "json").errors.at(0);
    EXPECT_TRUE(beside.starts_with("line 1: not JSON: ")) << beside;
    EXPECT_EQ(beside.find("column"), std::string::npos) << "the row does not begin its line";
    EXPECT_EQ(
        read_all("[{\"a\":\n\n\"\xff\"}]", "json").errors,
        Rows{"line 3: invalid UTF-8 at byte 9 of the row"}
    );
    EXPECT_EQ(
        read_all("[{\"a\":1},]", "json").errors,
        Rows{"line 1: a comma stands before the end of the array"}
    );
    EXPECT_EQ(
        read_all("5\n", "jsonl").errors, Rows{"line 1: a row is a JSON object, this is a number"}
    );
    EXPECT_EQ(
        read_all("{\"a\":1,\"a\":2}\n", "jsonl").errors.at(0),
        "line 1: not acceptable JSON: the member \"a\" is repeated"
    );
}

TEST(Rows, LineNumbersHoldWithOldLineEnds) {
    const Outcome mac = read_all("a,b\r1,2\r\r3,\"x\ry\"\r5,6\r", "csv");
    EXPECT_EQ(mac.rows.size(), 3U);
    EXPECT_EQ(mac.lines, (Lines{2, 4, 6}));
    EXPECT_EQ(
        read_all("a\r\n1\r\n1,2\r\n", "csv").errors, Rows{"line 3: 2 cells, the header has 1"}
    );
}

TEST(Rows, OtherEncodingsAreNamed) {
    for (const char* format : {"jsonl", "json", "csv"}) {
        EXPECT_EQ(
            read_all(std::string("\xff\xfe{\0}\0", 6), format).errors,
            Rows{"line 1: the file is UTF-16: save it as UTF-8"}
        );
    }
    EXPECT_EQ(
        read_all(std::string("a\nx\0y\n", 6), "csv").errors,
        Rows{"line 2: a zero byte in column \"a\""}
    );
}

TEST(Rows, ManyColumnsAreRefused) {
    std::string header = "c0";
    for (int i = 1; i <= 4096; ++i) {
        header += ",c" + std::to_string(i);
    }
    EXPECT_EQ(read_all(header + "\n", "csv").errors, Rows{"line 1: more than 4096 columns"});
    EXPECT_EQ(
        read_all("a\n" + std::string(200'000, ',') + "\n", "csv").errors,
        Rows{"line 2: more than 4096 cells"}
    );
}

TEST(Rows, AreCountedRightOverManyPieces) {
    std::string lines;
    std::string table = "id,text\n";
    for (int i = 0; i < 10'000; ++i) {
        const std::string id = std::to_string(i);
        lines += "{\"id\":" + id + ",\"text\":\"caf\xc3\xa9 " + id + "\"}\n";
        table += id + ",\"caf\xc3\xa9\n" + id + "\"\n";
    }
    std::string array = "[" + lines;
    std::ranges::replace(array, '\n', ',');
    array.back() = ']';
    for (const auto& [format, bytes] :
         {std::pair<std::string, const std::string&>("jsonl", lines),
          {"json", array},
          {"csv", table}}) {
        const Outcome out = read_all(bytes, format);
        EXPECT_TRUE(out.errors.empty()) << format;
        ASSERT_EQ(out.rows.size(), 10'000U) << format;
        EXPECT_NE(out.rows.back().find("9999"), std::string::npos);
    }
    EXPECT_EQ(read_all(table, "csv").lines.back(), 2 + 2 * 9'999);
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
