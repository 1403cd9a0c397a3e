#include "service/prompts.h"

#include "service/impl/test_platform.h"
#include "service/models.h"

namespace lab::service {
namespace {

class PromptNouns : public test::PlatformTest {
  protected:
    Json make(const char* body) { return create(ann_, prompt_noun(), body); }
    std::string make_id(const char* body) { return make(body).value("id", ""); }
    Result<Json> render(const std::string& id, const char* body) {
        return render_prompt(as(vic_), id, Json::parse(body));
    }
    std::string rendered(const std::string& id, const char* body) {
        const auto out = render(id, body);
        return out ? (*out)["rendered"].get<std::string>() : words(out.error());
    }
    Json validated(const Json& body) {
        const auto out = validate_prompt(as(vic_), body);
        EXPECT_TRUE(out) << (out ? "" : words(out.error()));
        return out ? *out : Json::object();
    }
    /// "part line:column message" of each.
    static std::string findings(const Json& list) {
        std::string out;
        for (const Json& one : list) {
            out += one["part"].get<std::string>() + " " + dump_json(one["line"]) + ":" +
                   dump_json(one["column"]) + " " + one["message"].get<std::string>() + "\n";
        }
        return out;
    }
    std::vector<std::int64_t> numbers(const std::string& id) {
        const auto found = list_prompt_versions(as(vic_), id, std::nullopt, 20, 0);
        EXPECT_TRUE(found);
        std::vector<std::int64_t> out;
        for (const Json& one : found->rows) {
            out.push_back(one["version_number"].get<std::int64_t>());
        }
        return out;
    }
    using Numbers = std::vector<std::int64_t>;
};

TEST_F(PromptNouns, ShowWhatTheyAreMadeOf) {
    const Json prompt = make(R"({
        "name": "qa", "template": "{{context}}: {{question}} {{context}}",
        "system_prompt": "You are {{persona}}.",
        "variables": ["question", {"name": "n", "type": "number", "default_value": 3}],
        "tags": ["b", "a"]
    })");
    EXPECT_EQ(prompt["version"], 1);
    EXPECT_EQ(prompt["version_count"], 1);
    EXPECT_EQ(prompt["owner_id"], ann_.user_id);
    EXPECT_EQ(prompt["default_values"], Json::object());
    EXPECT_EQ(prompt["variables"], Json::parse(R"([
        {"name": "question", "type": "string", "required": true},
        {"name": "n", "type": "number", "required": false, "default_value": 3},
        {"name": "context", "type": "string", "required": true},
        {"name": "persona", "type": "string", "required": true}
    ])"));
    EXPECT_EQ(get(vic_, prompt_noun(), prompt["id"].get<std::string>()), prompt);
}

TEST_F(PromptNouns, EveryMistakeIsNamed) {
    const auto made = create_noun(as(ann_), prompt_noun(), Json::parse(R"({
        "name": "bad", "template": "a\n{{1x}}", "system_prompt": "{{open",
        "variables": [{"name": "n", "type": "number", "default_value": "three"}, "n"],
        "default_values": {"n": true}
    })"));
    const std::string text = refusal(made);
    EXPECT_TRUE(text.starts_with("VALIDATION_ERROR: the prompt cannot be as given | "));
    EXPECT_NE(text.find("variables[0].default_value: must be a number"), text.npos) << text;
    EXPECT_NE(text.find("variables[1]: the name is declared twice"), text.npos) << text;
    EXPECT_NE(text.find("template: line 2, column 1: "), text.npos) << text;
    EXPECT_NE(text.find("system_prompt: line 1, column 1: "), text.npos) << text;
    EXPECT_NE(text.find("default_values.n: must be a number"), text.npos) << text;
    EXPECT_EQ(
        code_of(create_noun(as(ann_), prompt_noun(), Json{{"name", "x"}, {"template", ""}})),
        Code::validation
    );
}

TEST_F(PromptNouns, AChangeOfWhatIsSaidMakesAVersion) {
    const Json first = make(R"({"name": "p", "template": "one {{x}}", "variables": ["x"]})");
    const std::string id = first["id"].get<std::string>();
    const Json renamed = update(ann_, prompt_noun(), id, R"({"name": "q", "tags": ["t"]})");
    EXPECT_EQ(renamed["version"], 1);
    EXPECT_EQ(renamed["current_version_id"], first["current_version_id"]);
    EXPECT_EQ(update(ann_, prompt_noun(), id, R"({"template": "one {{x}}"})")["version"], 1);
    const Json second = update(ann_, prompt_noun(), id, R"({"template": "two"})");
    EXPECT_EQ(second["version"], 2);
    EXPECT_EQ(second["version_count"], 2);
    EXPECT_NE(second["current_version_id"], first["current_version_id"]);
    EXPECT_EQ(update(ann_, prompt_noun(), id, R"({"system_prompt": "s"})")["version"], 3);
    EXPECT_EQ(update(ann_, prompt_noun(), id, R"({"default_values": {"x": 1}})")["version"], 4);
    EXPECT_EQ(update(ann_, prompt_noun(), id, R"({"system_prompt": null})")["version"], 5);
    EXPECT_EQ(numbers(id), (Numbers{5, 4, 3, 2, 1}));
    const auto old =
        get_prompt_version(as(vic_), id, first["current_version_id"].get<std::string>());
    EXPECT_EQ((*get_prompt_version(as(vic_), id, "1"))["id"], first["current_version_id"]);
    for (const char* none : {"0", "-1", "99", "1x", "99999999999999999999", ""}) {
        EXPECT_EQ(code_of(get_prompt_version(as(vic_), id, none)), Code::not_found) << none;
    }
    ASSERT_TRUE(old);
    EXPECT_EQ((*old)["template"], "one {{x}}") << "a version never changes";
    EXPECT_EQ((*old)["version_number"], 1);
    EXPECT_EQ((*old)["prompt_id"], id);
    EXPECT_EQ((*old)["created_by"], ann_.user_id);
    EXPECT_EQ(
        refusal(
            update_noun(as(ann_), prompt_noun(), id, Json::parse(R"({"version": 9})"), std::nullopt)
        )
            .find("VALIDATION_ERROR"),
        0U
    );
}

TEST_F(PromptNouns, AVersionCanBeMadeOnPurpose) {
    const std::string id = make_id(R"({"name": "p", "template": "one", "system_prompt": "s"})");
    const auto made = add_prompt_version(
        as(ann_), id, Json::parse(R"({"template": "two {{y}}", "changelog": "asks for y"})")
    );
    ASSERT_TRUE(made) << words(made.error());
    EXPECT_EQ((*made)["version_number"], 2);
    EXPECT_EQ((*made)["changelog"], "asks for y");
    EXPECT_EQ((*made)["system_prompt"], "s");
    EXPECT_EQ((*made)["variables"][0]["name"], "y");
    const auto same = add_prompt_version(as(ann_), id, Json::parse(R"({"changelog": "reviewed"})"));
    ASSERT_TRUE(same);
    EXPECT_EQ((*same)["version_number"], 3) << "also when the text is the same";
    EXPECT_EQ((*same)["template"], "two {{y}}");
    EXPECT_EQ(get(vic_, prompt_noun(), id)["version"], 3);
    EXPECT_EQ(
        code_of(add_prompt_version(as(ann_), id, Json::parse(R"({"template": "{{"})"))),
        Code::validation
    );
    EXPECT_EQ(numbers(id), (Numbers{3, 2, 1})) << "what was refused left nothing";
    EXPECT_EQ(code_of(add_prompt_version(as(vic_), id, Json::object())), Code::forbidden);
}

TEST_F(PromptNouns, VersionsComeInPages) {
    const std::string id = make_id(R"({"name": "p", "template": "one"})");
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(add_prompt_version(as(ann_), id, Json::object()));
    }
    const auto page = list_prompt_versions(as(vic_), id, std::nullopt, 2, 1);
    ASSERT_TRUE(page);
    EXPECT_EQ(page->total, 5);
    EXPECT_TRUE(page->more);
    EXPECT_EQ(page->last, 3);
    const auto rest = list_prompt_versions(as(vic_), id, page->last, 2, 0);
    ASSERT_TRUE(rest);
    EXPECT_EQ(rest->rows.size(), 2U);
    EXPECT_EQ(rest->last, 1);
    EXPECT_FALSE(rest->more);
}

TEST_F(PromptNouns, RenderingIsSubstitutionAndNothingElse) {
    const std::string id = make_id(R"({
        "name": "p", "template": "{{a}} {{b.c}} {{list}} {{{{x}} {{a}}", "system_prompt": "S {{a}}"
    })");
    const auto out = render(id, R"({"variables":
        {"a": "{{b}}", "b": {"c": 1.50}, "list": [1, {"k": true}]}})");
    ASSERT_TRUE(out) << words(out.error());
    EXPECT_EQ((*out)["rendered"], R"({{b}} 1.5 [1,{"k":true}] {{x}} {{b}})");
    EXPECT_EQ((*out)["rendered_template"], (*out)["rendered"]);
    EXPECT_EQ((*out)["rendered_system_prompt"], "S {{b}}");
    // 36 characters and 7: 9 tokens and 2.
    EXPECT_EQ((*out)["token_count"], 11);
    EXPECT_EQ((*out)["version"], 1);
}

TEST_F(PromptNouns, ValuesComeFromTheCallThenThePromptThenTheDeclaration) {
    const std::string id = make_id(R"({
        "name": "p", "template": "{{a}}|{{b}}|{{c}}|{{d}}",
        "variables": [{"name": "a", "default_value": "a0"}, {"name": "b", "default_value": "b0"},
                      {"name": "c", "default_value": "c0"}, {"name": "d", "required": false}],
        "default_values": {"a": "a1", "b": "b1"}
    })");
    EXPECT_EQ(rendered(id, R"({"variables": {"a": "a2"}})"), "a2|b1|c0|");
    EXPECT_EQ(rendered(id, "{}"), "a1|b1|c0|");
    EXPECT_EQ(rendered(id, R"({"variables": {"a": null, "d": 7}})"), "a1|b1|c0|7");
}

TEST_F(PromptNouns, EveryMissingOrWrongValueIsNamed) {
    const std::string id = make_id(R"({
        "name": "p", "template": "{{question}} {{n}} {{flag}}",
        "variables": [{"name": "n", "type": "number"}, {"name": "flag", "type": "boolean"},
                      {"name": "unused"}]
    })");
    EXPECT_EQ(
        rendered(id, R"({"variables": {"questoin": "?", "n": "1"}})"),
        "VALIDATION_ERROR: the prompt cannot be rendered"
        " | variables.n: must be a number, as it is declared"
        " | variables.flag: has no value"
        " | variables.question: has no value, did you mean \"questoin\"?"
    );
    EXPECT_EQ(
        rendered(id, R"({"variables": {"question": "?", "n": 1, "flag": true}})"), "? 1 true"
    );
    EXPECT_EQ(code_of(render(id, R"({"values": {}})")), Code::validation);
}

TEST_F(PromptNouns, AnOldVersionCanBeRendered) {
    const Json first = make(R"({"name": "p", "template": "one"})");
    const std::string id = first["id"].get<std::string>();
    update(ann_, prompt_noun(), id, R"({"template": "two"})");
    const std::string version = first["current_version_id"].get<std::string>();
    EXPECT_EQ(rendered(id, "{}"), "two");
    EXPECT_EQ(rendered(id, R"({"version": 1})"), "one");
    EXPECT_EQ(rendered(id, ("{\"version\": \"" + version + "\"}").c_str()), "one");
    EXPECT_EQ(rendered(id, ("{\"version_id\": \"" + version + "\"}").c_str()), "one");
    EXPECT_EQ(code_of(render(id, R"({"version": 3})")), Code::not_found);
    const std::string other = make_id(R"({"name": "other", "template": "x"})");
    EXPECT_EQ(
        code_of(render(other, ("{\"version_id\": \"" + version + "\"}").c_str())), Code::not_found
    );
}

TEST_F(PromptNouns, WhatIsRenderedIsBounded) {
    std::string text;
    for (int i = 0; i < 100; ++i) {
        text += "{{a}}";
    }
    const auto made =
        create_noun(as(ann_), prompt_noun(), Json{{"name", "big"}, {"template", text}});
    ASSERT_TRUE(made);
    const Json body = {{"variables", {{"a", std::string(100'000, 'x')}}}};
    const auto out = render_prompt(as(vic_), made->json["id"].get<std::string>(), body);
    EXPECT_EQ(code_of(out), Code::payload_too_large);
}

TEST_F(PromptNouns, ValidationFindsAllMistakesWithTheirPlaces) {
    const Json found = validated({
        {"template", "ü {{ok}} {{1}}\n{{ }} {single} {\"json\": 1}\n{{open"},
        {"system_prompt", "{{ok}} {{more}}"},
        {"variables", {"ok", "unused"}},
        {"default_values", Json::object()},
    });
    EXPECT_EQ(found["valid"], false);
    const std::string errors = findings(found["errors"]);
    EXPECT_NE(errors.find("template 1:10 \"1\" is not a name"), errors.npos) << errors;
    EXPECT_NE(errors.find("template 2:1 a name is missing"), errors.npos) << errors;
    EXPECT_NE(errors.find("template 3:1 "), errors.npos) << errors;
    EXPECT_EQ(found["errors"].size(), 3U) << errors;
    const std::string warnings = findings(found["warnings"]);
    EXPECT_NE(warnings.find("template 2:7 {single} is text"), warnings.npos) << warnings;
    EXPECT_NE(
        warnings.find("variables null:null \"unused\" is declared and never used"), warnings.npos
    ) << warnings;
    EXPECT_NE(warnings.find("\"more\" is used and not declared"), warnings.npos) << warnings;
    EXPECT_EQ(found["warnings"].size(), 3U) << warnings;
    EXPECT_EQ(found["detected_variables"], Json::parse(R"(["ok", "more"])"));
}

TEST_F(PromptNouns, ValidationAcceptsWhatIsRight) {
    const Json found = validated({{"template", "{{a}} {{{{ {{b-1.c}}"}});
    EXPECT_EQ(found["valid"], true);
    EXPECT_EQ(found["errors"], Json::array());
    EXPECT_EQ(found["warnings"], Json::array());
    EXPECT_EQ(found["detected_variables"], Json::parse(R"(["a", "b-1.c"])"));
    EXPECT_EQ(validated({{"template", ""}})["valid"], false);
    const Json wrong = validated(Json::parse(
        R"({"template": "{{n}}", "variables": [{"name": "n", "type": "array", "default_value": 1}]})"
    ));
    EXPECT_EQ(wrong["valid"], false);
}

TEST_F(PromptNouns, AreNobodysBusinessWhenPrivateAndNoOtherTenantsEver) {
    const std::string open = make_id(R"({"name": "open", "template": "x"})");
    const std::string own = make_id(R"({"name": "own", "template": "x", "visibility": "private"})");
    EXPECT_TRUE(render(open, "{}"));
    EXPECT_EQ(code_of(render(own, "{}")), Code::not_found);
    EXPECT_EQ(code_of(list_prompt_versions(as(bob_), own, std::nullopt, 10, 0)), Code::not_found);
    EXPECT_EQ(code_of(render_prompt(as(eve_), open, Json::object())), Code::not_found);
    EXPECT_EQ(code_of(add_prompt_version(as(eve_), open, Json::object())), Code::not_found);
    EXPECT_TRUE(render_prompt(as(root_), own, Json::object()));
    Caller nobody;
    EXPECT_EQ(code_of(render_prompt(as(nobody), open, Json::object())), Code::unauthorized);
    EXPECT_EQ(code_of(validate_prompt(as(nobody), {{"template", "x"}})), Code::unauthorized);
    EXPECT_EQ(
        code_of(create_noun(as(vic_), prompt_noun(), Json{{"name", "v"}, {"template", "x"}})),
        Code::forbidden
    );
}

TEST_F(PromptNouns, AreFoundByTagsAndText) {
    make(R"({"name": "Alpha", "template": "x", "tags": ["a", "b"]})");
    make(R"({"name": "beta", "template": "x", "description": "like ALPHA", "tags": ["a"]})");
    make(R"({"name": "gamma", "template": "alpha"})");
    const auto count = [&](const storage::ResourceFilter& filter) {
        return list_nouns(as(vic_), prompt_noun(), filter, {})->total;
    };
    EXPECT_EQ(count({.text = "alpha"}), 2);
    EXPECT_EQ(count({.tags = {"a"}}), 2);
    EXPECT_EQ(count({.tags = {"b", "a"}}), 1);
}

TEST_F(PromptNouns, ANameIsTakenOncePerOwner) {
    const std::string id = make_id(R"({"name": "p", "template": "x"})");
    const auto again = create_noun(as(ann_), prompt_noun(), Json{{"name", "p"}, {"template", "y"}});
    EXPECT_EQ(
        refusal(again), "CONFLICT: there is a prompt of yours named \"p\" | existing_id: " + id
    );
    EXPECT_TRUE(create_noun(as(bob_), prompt_noun(), Json{{"name", "p"}, {"template", "y"}}));
}

TEST_F(PromptNouns, StayWhileAnExperimentUsesThem) {
    const std::string id = make_id(R"({"name": "p", "template": "x"})");
    const std::string upper = [&] {
        std::string out = id;
        for (char& c : out) {
            c = c >= 'a' && c <= 'f' ? static_cast<char>(c - 32) : c;
        }
        return out;
    }();
    const std::string talks =
        plant(storage::ResourceKind::experiment, ann_, "talks", {{"description", "about " + id}});
    const std::string uses = plant(
        storage::ResourceKind::experiment,
        ann_,
        "uses",
        {{"config", {{"prompt_template_ids", {upper}}}}}
    );
    EXPECT_EQ(
        refusal(remove_noun(as(ann_), prompt_noun(), id, std::nullopt)),
        "CONFLICT: an experiment uses this prompt | used_by: " + uses
    );
    storage::Resources experiments(*session_, storage::ResourceKind::experiment);
    const auto one = experiments.find(ctx_, root_.viewer(), uses);
    ASSERT_TRUE(*experiments.remove(ctx_, **one));
    EXPECT_TRUE(remove_noun(as(ann_), prompt_noun(), id, std::nullopt)) << talks;
    EXPECT_EQ(code_of(get_noun(as(ann_), prompt_noun(), id)), Code::not_found);
}

TEST_F(PromptNouns, TheUsersOthersHaveAreCountedAndNotNamed) {
    const std::string id = make_id(R"({"name": "p", "template": "x"})");
    for (const char* name : {"e1", "e2"}) {
        storage::Resource one;
        one.id = uuids_.next();
        one.name = name;
        one.access = {.owner = bob_.user_id, .visibility = domain::Visibility::private_};
        one.body = dump_json({{"config", {{"prompt_template_ids", {id}}}}});
        storage::Resources experiments(*session_, storage::ResourceKind::experiment);
        ASSERT_TRUE(experiments.create(ctx_, one));
    }
    EXPECT_EQ(
        refusal(remove_noun(as(ann_), prompt_noun(), id, std::nullopt)),
        "CONFLICT: 2 experiments use this prompt"
    );
}

TEST_F(PromptNouns, ModelsStayWhileUsed) {
    Caller engineer = person(ann_.user_id, {domain::Role::model_engineer});
    const std::string id = create(engineer, model_noun(), R"({
        "name": "m", "provider": "openai", "model_identifier": "gpt-4o"
    })")["id"]
                               .get<std::string>();
    const std::string evaluation = plant(
        storage::ResourceKind::evaluation,
        ann_,
        "judge",
        {{"config", {{"judge_config", {{"model_id", id}}}}}}
    );
    EXPECT_EQ(
        refusal(remove_noun(as(engineer), model_noun(), id, std::nullopt)),
        "CONFLICT: an evaluation uses this model | used_by: " + evaluation
    );
}

}  // namespace
}  // namespace lab::service
