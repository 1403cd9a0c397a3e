#include "cli/api_view.h"

#include "platform/json/document.h"

#include <gtest/gtest.h>

namespace lab::cli {
namespace {

TEST(ApiView, YamlReadsBackAsWhatItWas) {
    const Json value = {
        {"id", "yes"},
        {"empty", Json::object()},
        {"list", {1, "two: 2", nullptr, Json::array()}},
        {"rows", Json::array({{{"a", 1}, {"b", {{"c", true}}}}, {{"a", "x\ny"}}})},
        {"nested", Json::array({Json::array({1, 2}), Json::array({3})})},
    };
    const auto read = parse_yaml(to_yaml(value));
    ASSERT_TRUE(read) << read.error().message << "\n" << to_yaml(value);
    EXPECT_EQ(read->value, value) << to_yaml(value);
}

TEST(ApiView, CellsAreTextsListsAndWhatLiesDeeper) {
    const Json one = {{"tags", {"a", "b"}}, {"totals", {{"cost", "0.10"}}}, {"none", nullptr}};
    EXPECT_EQ(cell_of(one, "tags"), "a,b");
    EXPECT_EQ(cell_of(one, "totals.cost"), "0.10");
    EXPECT_EQ(cell_of(one, "none"), "-");
    EXPECT_EQ(cell_of(one, "absent.deeper"), "-");
}

TEST(ApiView, TheWidestColumnIsCutAndIdsStayWhole) {
    const std::string id = "0b0e7b1c-6a2f-4c41-9f0e-2d1c7a3f9a10";
    Table table{
        .columns = {"id", "name", "rows"},
        .rows = {{id, "ein sehr langer Name über alles", "1234567"}},
        .numeric = {false, false, true},
    };
    fit_to_width(table, 60);
    EXPECT_EQ(table.rows[0][0], id);
    EXPECT_EQ(table.rows[0][1], "ein sehr lan…");
    EXPECT_EQ(table.rows[0][2], "1234567");
}

}  // namespace
}  // namespace lab::cli
