#include "service/datasets.h"

#include "service/impl/test_lab.h"

#include <gtest/gtest.h>

namespace lab::service {
namespace {

class DatasetImport : public test::Lab {
  protected:
    domain::DatasetVersion import(const std::string& path, const std::string& name = "") {
        auto out = import_dataset(ctx_, deps_, {.path = path, .format = {}, .name = name});
        EXPECT_TRUE(out
        ) << (out ? "" : out.error().message + engine::test::problems_of(out.error()));
        return out.value_or(domain::DatasetVersion());
    }
    Error refusal(const std::string& path) {
        auto out = import_dataset(ctx_, deps_, {.path = path, .format = {}, .name = {}});
        EXPECT_FALSE(out);
        return out ? Error() : out.error();
    }
    std::vector<std::string> objects() const { return test::files_below(home_.file("objects")); }
};

TEST_F(DatasetImport, TheSameRowsAreTheSameVersionHoweverTheyAreWritten) {
    const auto first = import(
        write("a.jsonl", "{\"id\":\"1\",\"q\":\"x, \\\"y\\\"\"}\n{\"id\":\"2\",\"q\":\"ü\\nz\"}\n"),
        "set"
    );
    EXPECT_EQ(first.version, 1);
    EXPECT_EQ(first.rows, 2);
    EXPECT_EQ(first.content_hash.size(), 64U);
    EXPECT_EQ(first.fields, (std::vector<std::string>{"id", "q"}));
    EXPECT_EQ(first.source, "a.jsonl");
    const std::size_t files = objects().size();
    const std::string same[] = {
        write(
            "b.jsonl",
            "{ \"q\" : \"x, \\u0022y\\u0022\", \"id\":\"1\" "
            "}\r\n\r\n{\"q\":\"\\u00fc\\nz\",\"id\":\"2\"}"
        ),
        write(
            "c.json", "[{\"id\":\"1\",\"q\":\"x, \\\"y\\\"\"},\n {\"id\":\"2\",\"q\":\"ü\\nz\"}]"
        ),
        write("d.csv", "id,q\n1,\"x, \"\"y\"\"\"\n2,\"ü\nz\"\n"),
        write("e.csv", "\xEF\xBB\xBFq,id\r\n\"x, \"\"y\"\"\",1\r\n\"ü\nz\",2\r\n"),
        write("f.tsv", "id\tq\n1\t\"x, \"\"y\"\"\"\n2\t\"ü\nz\"\n"),
    };
    for (const std::string& path : same) {
        const auto again = import(path, "set");
        EXPECT_EQ(again.content_hash, first.content_hash) << path;
        EXPECT_EQ(again.version, 1) << path;
        EXPECT_EQ(again.dataset_id, first.dataset_id) << path;
    }
    EXPECT_EQ(objects().size(), files) << "the rows are kept once";
    EXPECT_EQ(list_datasets(ctx_, deps_)->size(), 1U);
}

TEST_F(DatasetImport, OtherRowsAreTheNextVersion) {
    const auto first = import(write("a.jsonl", "{\"a\":1}\n"), "set");
    const auto second = import(write("a.jsonl", "{\"a\":2}\n"), "set");
    const auto turned = import(write("a.jsonl", "{\"a\":2}\n{\"a\":1}\n"), "set");
    EXPECT_EQ(second.version, 2);
    EXPECT_EQ(turned.version, 3);
    EXPECT_NE(first.content_hash, second.content_hash);
    EXPECT_EQ(get_dataset(ctx_, deps_, "set")->version, 3);
    EXPECT_EQ(get_dataset(ctx_, deps_, "set@1")->content_hash, first.content_hash);
    EXPECT_EQ(get_dataset(ctx_, deps_, first.content_hash.substr(0, 12))->version, 1);
    EXPECT_EQ(get_dataset(ctx_, deps_, "sett").error().code, Code::not_found);
}

TEST_F(DatasetImport, IsNamedByFolderAndFile) {
    std::filesystem::create_directory(home_.file("gsm8k"));
    EXPECT_EQ(import(write("gsm8k/dataset.jsonl", "{\"a\":1}\n")).name, "gsm8k/dataset");
}

TEST_F(DatasetImport, BadRowsAreReportedAndNothingRemains) {
    import(write("good.jsonl", "{\"a\":0}\n"));
    const auto before = objects();
    const auto known = list_datasets(ctx_, deps_)->size();
    const Error error =
        refusal(write("bad.jsonl", "{\"a\":1}\nnope\n{\"a\":2}\n[3]\n{\"a\":\"\xff\"}\n{\"a\":3}\n")
        );
    EXPECT_EQ(error.code, Code::validation);
    EXPECT_NE(error.message.find("bad.jsonl has bad rows; nothing was imported"), std::string::npos)
        << error.message;
    ASSERT_EQ(error.details.size(), 3U);
    EXPECT_TRUE(error.details[0].message.starts_with("line 2: ")) << error.details[0].message;
    EXPECT_TRUE(error.details[1].message.starts_with("line 4: ")) << error.details[1].message;
    EXPECT_TRUE(error.details[2].message.starts_with("line 5: ")) << error.details[2].message;
    EXPECT_EQ(objects(), before) << "the objects folder is as it was";
    EXPECT_EQ(list_datasets(ctx_, deps_)->size(), known);
}

TEST_F(DatasetImport, AtMostTwentyBadRowsAreListed) {
    const auto bad = [&](int count) {
        std::string text;
        for (int i = 0; i < count; ++i) {
            text += "{\"a\":1}\nbad\n";
        }
        return refusal(write("bad.jsonl", text));
    };
    const Error twenty = bad(20);
    ASSERT_EQ(twenty.details.size(), 20U);
    EXPECT_TRUE(twenty.details[19].message.starts_with("line 40: "));
    EXPECT_EQ(twenty.message.find("many"), std::string::npos) << twenty.message;
    const Error more = bad(21);
    ASSERT_EQ(more.details.size(), 21U);
    EXPECT_EQ(more.details[20].message, "there are more");
    EXPECT_EQ(bad(2000).details.size(), 21U);
}

TEST_F(DatasetImport, WhatIsNoDatasetIsRefused) {
    const auto before = objects();
    EXPECT_EQ(refusal(home_.file("none.jsonl")).code, Code::not_found);
    EXPECT_EQ(refusal(write("rows.xyz", "{}")).code, Code::validation);
    EXPECT_EQ(refusal(write("empty.jsonl", "\n\n")).code, Code::validation);
    EXPECT_EQ(refusal(write("head.csv", "a,b\n")).code, Code::validation);
    const Error ragged = refusal(write("ragged.csv", "a,b\n1,2\n3\n4,5,6\n"));
    EXPECT_EQ(ragged.details.size(), 2U) << engine::test::problems_of(ragged);
    EXPECT_EQ(objects(), before);
}

TEST_F(DatasetImport, StopsWhenItIsCancelled) {
    const auto before = objects();
    const CancelToken token;
    token.cancel(CancelReason::user);
    const auto out = import_dataset(
        Ctx(clock_, token),
        deps_,
        {.path = write("a.jsonl", "{\"a\":1}\n"), .format = {}, .name = {}}
    );
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Code::cancelled);
    EXPECT_EQ(objects(), before);
}

}  // namespace
}  // namespace lab::service
