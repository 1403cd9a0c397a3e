#include "engine/items.h"

#include "engine/impl/test_world.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lab::engine {
namespace {

using test::dataset_of;

std::vector<std::string> numbered(int count) {
    std::vector<std::string> rows;
    for (int i = 0; i < count; ++i) {
        rows.push_back(
            R"({"id":"i)" + std::to_string(i) + R"(","split":")" + (i % 3 == 0 ? "train" : "test") +
            R"(","n":)" + std::to_string(i) + "}"
        );
    }
    return rows;
}

Items select(const std::vector<std::string>& rows, const domain::DatasetSpec& spec) {
    auto items = Items::select(dataset_of(rows), spec);
    EXPECT_TRUE(items) << (items ? "" : items.error().message);
    return *std::move(items);
}

std::string refusal(const std::vector<std::string>& rows, const domain::DatasetSpec& spec) {
    const auto items = Items::select(dataset_of(rows), spec);
    EXPECT_FALSE(items);
    EXPECT_EQ(items.error().code, Code::validation);
    return items ? "" : items.error().message;
}

std::vector<std::int64_t> rows_of(const Items& items) {
    std::vector<std::int64_t> out;
    for (std::int64_t item = 0; item < items.count(); ++item) {
        out.push_back(items.row_of(item));
    }
    return out;
}

using Rows = std::vector<std::int64_t>;

TEST(Items, AreAllRowsInTheirOrder) {
    const Items items = select(numbered(5), {});
    EXPECT_EQ(rows_of(items), (Rows{0, 1, 2, 3, 4}));
    EXPECT_EQ(items.text(3), R"({"id":"i3","n":3,"split":"train"})");
    const Json row = items.load(3);
    EXPECT_EQ(row["n"], 3);
    EXPECT_EQ(items.id_of(3, row), "i3");
}

TEST(Items, WhereKeepsTheRowsWhoseFieldsHaveOneOfTheValues) {
    domain::DatasetSpec spec;
    spec.where = {{"n", {"2", "3", "6", "99"}}, {"split", {"train"}}};
    EXPECT_EQ(rows_of(select(numbered(10), spec)), (Rows{3, 6}));
    spec.limit = 1;
    EXPECT_EQ(rows_of(select(numbered(10), spec)), (Rows{3}));
    spec.where = {{"absent", {"x"}}};
    EXPECT_EQ(refusal(numbered(10), spec), "no row is left by `where`");
}

TEST(Items, AStratifiedSampleKeepsTheShares) {
    domain::DatasetSpec spec{.sample = 30, .stratify = "split", .seed = 7};
    const Items items = select(numbered(90), spec);  // 30 rows of train, 60 of test
    ASSERT_EQ(items.count(), 30);
    const Rows rows = rows_of(items);
    EXPECT_EQ(std::ranges::count_if(rows, [](std::int64_t row) { return row % 3 == 0; }), 10);
    EXPECT_TRUE(std::ranges::is_sorted(rows));
    EXPECT_EQ(rows_of(select(numbered(90), spec)), rows);
    spec.seed = 8;
    EXPECT_NE(rows_of(select(numbered(90), spec)), rows);
    // 4 of 10 rows (4 train, 6 test): 1.6 and 2.4, so the left over one goes to train.
    spec.sample = 4;
    const Rows few = rows_of(select(numbered(10), spec));
    ASSERT_EQ(few.size(), 4);
    EXPECT_EQ(std::ranges::count_if(few, [](std::int64_t row) { return row % 3 == 0; }), 2);
}

TEST(Items, SplitKeepsTheRowsWhoseFieldEqualsIt) {
    domain::DatasetSpec spec{.split_field = "split", .split = "train"};
    EXPECT_EQ(rows_of(select(numbered(10), spec)), (Rows{0, 3, 6, 9}));
    spec.limit = 2;
    EXPECT_EQ(rows_of(select(numbered(10), spec)), (Rows{0, 3})) << "the limit counts what is kept";
    spec.split_field = "n";
    spec.split = "7";
    spec.limit.reset();
    EXPECT_EQ(rows_of(select(numbered(10), spec)), Rows{7}) << "numbers compare as text";
}

TEST(Items, ASplitNobodyIsInIsRefused) {
    const domain::DatasetSpec spec{.split_field = "split", .split = "dev"};
    EXPECT_EQ(refusal(numbered(4), spec), "no row has split = \"dev\"");
    const domain::DatasetSpec elsewhere{.split_field = "part", .split = "train"};
    EXPECT_EQ(refusal(numbered(4), elsewhere), "no row has part = \"train\"");
}

TEST(Items, ALimitTakesTheFirstRows) {
    domain::DatasetSpec spec;
    spec.limit = 3;
    EXPECT_EQ(rows_of(select(numbered(10), spec)), (Rows{0, 1, 2}));
    spec.limit = 10;
    EXPECT_EQ(select(numbered(10), spec).count(), 10);
    spec.limit = 99;
    EXPECT_EQ(select(numbered(10), spec).count(), 10);
}

TEST(Items, ASampleDependsOnItsSeedAlone) {
    domain::DatasetSpec spec;
    spec.sample = 20;
    spec.seed = 1;
    const Rows first = rows_of(select(numbered(200), spec));
    EXPECT_EQ(first, rows_of(select(numbered(200), spec)));
    ASSERT_EQ(first.size(), 20U);
    EXPECT_TRUE(std::ranges::is_sorted(first)) << "the dataset's order stays";
    EXPECT_EQ(std::ranges::adjacent_find(first), first.end()) << "without replacement";
    EXPECT_GT(first.back(), 100) << "from the whole dataset";
    spec.seed = 2;
    EXPECT_NE(first, rows_of(select(numbered(200), spec)));
    spec.sample = 300;
    EXPECT_EQ(select(numbered(200), spec).count(), 200);
}

TEST(Items, ASampleDrawsEveryRowEquallyOften) {
    std::vector<int> drawn(10);
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
        domain::DatasetSpec spec;
        spec.sample = 3;
        spec.seed = seed;
        for (const std::int64_t row : rows_of(select(numbered(10), spec))) {
            ++drawn[static_cast<std::size_t>(row)];
        }
    }
    // 600 expected, standard deviation 20.5.
    for (const int count : drawn) {
        EXPECT_NEAR(count, 600, 90);
    }
}

TEST(Items, AnIdGivenTwiceIsRefusedWithBothRows) {
    auto rows = numbered(50);
    rows[16] = R"({"id":"i2"})";
    EXPECT_EQ(refusal(rows, {}), "rows 3 and 17 have the same id \"i2\"");
    rows = numbered(3);
    rows[0] = R"({"id":7})";
    rows[2] = R"({"id":"7"})";
    EXPECT_EQ(refusal(rows, {}), "rows 1 and 3 have the same id \"7\"") << "ids are text";
    domain::DatasetSpec spec{.split_field = "split", .split = "test"};
    rows = numbered(6);
    rows[3] = R"({"id":"i1","split":"train"})";
    EXPECT_EQ(select(rows, spec).count(), 4) << "only what is used must be unique";
}

TEST(Items, ARowWithoutAnIdMayNotTakeTheNumberOfAnother) {
    const std::vector<std::string> rows = {R"({"id":"2"})", R"({"q":"x"})", R"({"id":null})"};
    EXPECT_EQ(refusal(rows, {}), "rows 1 and 2 have the same id \"2\"");
}

TEST(Items, WithoutAnIdTheRowNumberServes) {
    const std::vector<std::string> rows = {R"({"q":"a"})", R"({"q":"b"})", R"({"id":null})"};
    const Items items = select(rows, {});
    EXPECT_EQ(items.id_of(0, items.load(0)), "1");
    EXPECT_EQ(items.id_of(2, items.load(2)), "3") << "null is no id";
    domain::DatasetSpec spec;
    spec.sample = 1;
    const Items one = select(rows, spec);
    EXPECT_EQ(one.id_of(0, one.load(0)), std::to_string(one.row_of(0) + 1))
        << "of the dataset, not of the selection";
}

TEST(Items, AnotherFieldCanBeTheId) {
    domain::DatasetSpec spec{.id_field = "meta.key"};
    const std::vector<std::string> rows = {R"({"meta":{"key":"k1"}})", R"({"meta":{"key":2.5}})"};
    const Items items = select(rows, spec);
    EXPECT_EQ(items.id_of(0, items.load(0)), "k1");
    EXPECT_EQ(items.id_of(1, items.load(1)), "2.5");
    EXPECT_EQ(refusal({rows[0], rows[0]}, spec), "rows 1 and 2 have the same meta.key \"k1\"");
}

TEST(Items, FieldsAddNamesToTheRow) {
    domain::DatasetSpec spec;
    spec.fields = {{"question", "data.q"}, {"reference", "a"}, {"nothing", "not.there"}};
    const Items items = select({R"({"data":{"q":"why"},"a":[1,2]})"}, spec);
    const Json row = items.load(0);
    EXPECT_EQ(row["question"], "why");
    EXPECT_EQ(row["reference"], Json::array({1, 2}));
    EXPECT_FALSE(row.contains("nothing"));
    EXPECT_EQ(row["data"]["q"], "why") << "what was there stays";
    EXPECT_EQ(items.text(0), R"({"a":[1,2],"data":{"q":"why"}})") << "the stored row is untouched";
}

TEST(Items, FieldsReadTheRowAsItWas) {
    domain::DatasetSpec spec;
    spec.fields = {{"a", "b"}, {"b", "a"}};
    const Items items = select({R"({"a":1,"b":2})"}, spec);
    EXPECT_EQ(items.load(0)["a"], 2);
    EXPECT_EQ(items.load(0)["b"], 1) << "the order of the names does not matter";
}

TEST(Items, AFieldThatServesAsIdOrSplitMayBeAnAlias) {
    domain::DatasetSpec spec{.split_field = "part", .split = "x"};
    spec.fields = {{"id", "key"}, {"part", "meta.part"}};
    const Items items =
        select({R"({"key":"a","meta":{"part":"x"}})", R"({"key":"b","meta":{"part":"y"}})"}, spec);
    ASSERT_EQ(items.count(), 1);
    EXPECT_EQ(items.id_of(0, items.load(0)), "a");
}

TEST(Items, FieldTextIsTextOrJson) {
    EXPECT_EQ(field_text(Json("a \"b\"")), "a \"b\"");
    EXPECT_EQ(field_text(Json(7)), "7");
    EXPECT_EQ(field_text(Json(0.1)), "0.1");
    EXPECT_EQ(field_text(Json(true)), "true");
    EXPECT_EQ(field_text(Json::array({1, "x"})), R"([1,"x"])");
}

}  // namespace
}  // namespace lab::engine
