#include "storage/store/datasets.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

using domain::DatasetVersion;

class DatasetsContract : public test::StoreTest {
  protected:
    static DatasetVersion version(const std::string& name, char digit) {
        DatasetVersion out;
        out.dataset_id = "id-of-" + name;
        out.name = name;
        out.content_hash = std::string(64, digit);
        out.rows = 10;
        out.bytes = 1000;
        out.fields = {"question", "an \"odd\" ü"};
        out.source = name + ".jsonl";
        out.created_at = "2026-01-02T03:04:05.000000Z";
        return out;
    }
    Datasets datasets_{*session_};
};

TEST_P(DatasetsContract, TheSameRowsAreTheSameVersion) {
    const DatasetVersion first = datasets_.add_version(ctx_, version("gsm8k", 'a')).value();
    EXPECT_EQ(first.version, 1);
    DatasetVersion again = version("gsm8k", 'a');
    again.source = "copy.jsonl";
    again.dataset_id = "another";
    const DatasetVersion same = datasets_.add_version(ctx_, again).value();
    EXPECT_EQ(same.version, 1);
    EXPECT_EQ(same.source, "gsm8k.jsonl");
    EXPECT_EQ(same.dataset_id, "id-of-gsm8k");
    EXPECT_EQ(datasets_.add_version(ctx_, version("gsm8k", 'b')).value().version, 2);
    EXPECT_EQ(datasets_.add_version(ctx_, version("gsm8k", 'a')).value().version, 1);
    EXPECT_EQ(datasets_.add_version(ctx_, version("gsm8k", 'c')).value().version, 3);
    EXPECT_EQ(datasets_.add_version(ctx_, version("other", 'a')).value().version, 1);
}

TEST_P(DatasetsContract, GivesAVersionBackAsItWas) {
    ASSERT_TRUE(datasets_.add_version(ctx_, version("gsm8k", 'a')));
    const DatasetVersion found = datasets_.get(ctx_, "gsm8k").value();
    const DatasetVersion want = version("gsm8k", 'a');
    EXPECT_EQ(found.dataset_id, want.dataset_id);
    EXPECT_EQ(found.name, want.name);
    EXPECT_EQ(found.version, 1);
    EXPECT_EQ(found.content_hash, want.content_hash);
    EXPECT_EQ(found.rows, 10);
    EXPECT_EQ(found.bytes, 1000);
    EXPECT_EQ(found.fields, want.fields);
    EXPECT_EQ(found.source, want.source);
    EXPECT_EQ(found.created_at, want.created_at);
}

TEST_P(DatasetsContract, FindsByNameNumberAndHash) {
    ASSERT_TRUE(datasets_.add_version(ctx_, version("gsm8k", 'a')));
    ASSERT_TRUE(datasets_.add_version(ctx_, version("gsm8k", 'b')));
    ASSERT_TRUE(datasets_.add_version(ctx_, version("me@2", 'c')));
    EXPECT_EQ(datasets_.get(ctx_, "gsm8k").value().version, 2);
    EXPECT_EQ(datasets_.get(ctx_, "gsm8k@1").value().content_hash, std::string(64, 'a'));
    EXPECT_EQ(datasets_.get(ctx_, "me@2").value().content_hash, std::string(64, 'c'));
    EXPECT_EQ(datasets_.get(ctx_, "me@2@1").value().content_hash, std::string(64, 'c'));
    EXPECT_EQ(datasets_.get(ctx_, std::string(64, 'a')).value().version, 1);
    EXPECT_EQ(datasets_.get(ctx_, "bbbbbbbb").value().version, 2);
    EXPECT_EQ(datasets_.get(ctx_, "bbbbbbb").error().code, Code::not_found);
    EXPECT_EQ(datasets_.get(ctx_, "dddddddd").error().code, Code::not_found);
}

TEST_P(DatasetsContract, AHashUnderTwoNamesIsOneContentTwoHashesAreAmbiguous) {
    DatasetVersion near = version("near", 'a');
    near.content_hash.back() = 'b';
    ASSERT_TRUE(datasets_.add_version(ctx_, version("one", 'a')));
    ASSERT_TRUE(datasets_.add_version(ctx_, version("two", 'a')));
    EXPECT_EQ(datasets_.get(ctx_, "aaaaaaaa").value().name, "two");
    ASSERT_TRUE(datasets_.add_version(ctx_, near));
    const auto ambiguous = datasets_.get(ctx_, "aaaaaaaa");
    ASSERT_FALSE(ambiguous);
    EXPECT_EQ(ambiguous.error().code, Code::validation);
    EXPECT_NE(ambiguous.error().message.find("near@1"), std::string::npos);
    EXPECT_EQ(datasets_.get(ctx_, near.content_hash).value().name, "near");
}

TEST_P(DatasetsContract, NamesTheNearest) {
    ASSERT_TRUE(datasets_.add_version(ctx_, version("gsm8k", 'a')));
    const auto misspelt = datasets_.get(ctx_, "gsm8");
    ASSERT_FALSE(misspelt);
    EXPECT_EQ(misspelt.error().code, Code::not_found);
    EXPECT_NE(misspelt.error().message.find("did you mean \"gsm8k\"?"), std::string::npos)
        << misspelt.error().message;
    const auto numbered = datasets_.get(ctx_, "gsm8k@7");
    ASSERT_FALSE(numbered);
    EXPECT_EQ(numbered.error().code, Code::not_found);
    EXPECT_NE(numbered.error().message.find("no version 7: the latest is 1"), std::string::npos)
        << numbered.error().message;
    EXPECT_EQ(datasets_.get(ctx_, "").error().code, Code::not_found);
}

TEST_P(DatasetsContract, ListsByNameAndNumber) {
    EXPECT_TRUE(datasets_.list(ctx_).value().empty());
    ASSERT_TRUE(datasets_.add_version(ctx_, version("b", 'a')));
    ASSERT_TRUE(datasets_.add_version(ctx_, version("a", 'b')));
    ASSERT_TRUE(datasets_.add_version(ctx_, version("b", 'c')));
    std::string out;
    for (const DatasetVersion& v : datasets_.list(ctx_).value()) {
        out += v.name + std::to_string(v.version) + " ";
    }
    EXPECT_EQ(out, "a1 b1 b2 ");
}

LAB_ALL_BACKENDS(DatasetsContract);

}  // namespace
}  // namespace lab::storage
