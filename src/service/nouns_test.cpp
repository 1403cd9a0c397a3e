#include "service/nouns.h"

#include "service/impl/test_platform.h"
#include "service/prompts.h"

namespace lab::service {
namespace {

class Batches : public test::PlatformTest {
  protected:
    Result<std::vector<Json>> make(const Json& bodies) {
        return create_nouns(as(ann_), prompt_noun(), bodies);
    }
    std::size_t stored() {
        const auto found = list_nouns(as(ann_), prompt_noun(), {}, {});
        return found ? static_cast<std::size_t>(found->total.rows) : 9999;
    }
};

TEST_F(Batches, AreMadeInTheirOrder) {
    Json bodies = Json::array();
    for (int i = 0; i < 1000; ++i) {
        bodies.push_back({{"name", "p" + std::to_string(i)}, {"template", "{{a}}"}});
    }
    const auto made = make(bodies);
    ASSERT_TRUE(made) << words(made.error());
    ASSERT_EQ(made->size(), 1000U);
    EXPECT_EQ((*made)[0]["name"], "p0");
    EXPECT_EQ((*made)[999]["name"], "p999");
    EXPECT_EQ((*made)[999]["version"], 1);
    EXPECT_EQ(stored(), 1000U);
}

TEST_F(Batches, SayEveryProblemWithItsPlaceAndMakeNothing) {
    const auto made = make(Json::parse(R"([
        {"name": "good", "template": "x"},
        {"name": "", "template": "x"},
        {"name": "no template"},
        {"name": "odd", "template": "x", "colour": "red"}
    ])"));
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::validation);
    std::string fields;
    for (const Detail& detail : made.error().details) {
        fields += detail.field + ";";
    }
    EXPECT_NE(fields.find("[1].name"), std::string::npos) << fields;
    EXPECT_NE(fields.find("[2]"), std::string::npos) << fields;
    EXPECT_NE(fields.find("[3]"), std::string::npos) << fields;
    EXPECT_EQ(fields.find("[0]"), std::string::npos) << fields;
    EXPECT_EQ(stored(), 0U);
}

TEST_F(Batches, WithANameThatIsTakenMakeNothing) {
    const auto twice =
        make(Json::parse(R"([{"name": "a", "template": "x"}, {"name": "a", "template": "y"}])"));
    ASSERT_FALSE(twice);
    EXPECT_EQ(twice.error().code, Code::conflict);
    bool told = false;
    for (const Detail& detail : twice.error().details) {
        told = told || (detail.field == "index" && detail.message == "1");
    }
    EXPECT_TRUE(told) << words(twice.error());
    EXPECT_EQ(stored(), 0U);
}

TEST_F(Batches, HaveBounds) {
    EXPECT_EQ(make(Json::array()).error().code, Code::validation);
    Json many = Json::array();
    for (int i = 0; i < 1001; ++i) {
        many.push_back({{"name", "p" + std::to_string(i)}, {"template", "x"}});
    }
    EXPECT_EQ(make(many).error().code, Code::validation);
    const auto barred = create_nouns(as(vic_), prompt_noun(), many);
    ASSERT_FALSE(barred);
    EXPECT_EQ(barred.error().code, Code::forbidden);
}

class OneNoun : public test::PlatformTest {};

TEST_F(OneNoun, BelongsToWhoMakesItOrToWhomAnAdministratorNames) {
    const Json own = create(
        ann_,
        prompt_noun(),
        R"({"name": "a", "template": "x", "owner_id": "AAAAAAAA-0000-4000-8000-000000000001"})"
    );
    EXPECT_EQ(own["owner_id"], ann_.user_id);
    const Json other = Json{{"name", "b"}, {"template", "x"}, {"owner_id", bob_.user_id}};
    EXPECT_NE(
        refusal(create_noun(as(ann_), prompt_noun(), other)).find("owner_id"), std::string::npos
    );
    // There is no such user in the store of this test.
    EXPECT_NE(
        refusal(create_noun(as(root_), prompt_noun(), other)).find("no active user"),
        std::string::npos
    );
    const std::string id = own["id"].get<std::string>();
    EXPECT_EQ(
        update(
            ann_, prompt_noun(), id, R"({"owner_id": "aaaaaaaa-0000-4000-8000-000000000001"})"
        )["owner_id"],
        ann_.user_id
    );
    EXPECT_NE(
        refusal(update_noun(as(ann_), prompt_noun(), id, {{"owner_id", bob_.user_id}}, std::nullopt)
        )
            .find("cannot be changed"),
        std::string::npos
    );
}

TEST_F(OneNoun, HasANameThatCanBeRead) {
    for (const char* const name : {" ", "a\nb", "\t", "a\x7f"}) {
        EXPECT_EQ(
            code_of(create_noun(as(ann_), prompt_noun(), {{"name", name}, {"template", "x"}})),
            Code::validation
        ) << name;
    }
    const std::string with_zero("a\0b", 3);
    EXPECT_EQ(
        code_of(create_noun(as(ann_), prompt_noun(), {{"name", with_zero}, {"template", "x"}})),
        Code::validation
    );
    create(ann_, prompt_noun(), R"({"name": " Größe 🧪 ", "template": "x"})");
}

}  // namespace
}  // namespace lab::service
