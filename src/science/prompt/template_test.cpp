#include "science/prompt/template.h"

#include "base/text.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::science {
namespace {

/// The text rendered, or the error's message.
std::string render(std::string_view text, const Json& item = Json::object()) {
    const auto parsed = Template::parse(text);
    if (!parsed) {
        EXPECT_EQ(parsed.error().code, Code::validation);
        return parsed.error().message;
    }
    const auto rendered = parsed->render(item);
    if (!rendered) {
        EXPECT_EQ(rendered.error().code, Code::validation);
        return rendered.error().message;
    }
    return *rendered;
}

TEST(Template, PutsValuesInPlaceOfNames) {
    const Json item = {{"name", "Ada"}, {"_x-1.y", "odd"}, {"n", 3}};
    EXPECT_EQ(render("Hello {{name}}!", item), "Hello Ada!");
    EXPECT_EQ(render("{{name}}{{name}} {{n}}", item), "AdaAda 3");
    EXPECT_EQ(render("{{ name }}|{{\tname\t}}|{{  _x-1.y}}", item), "Ada|Ada|odd");
    EXPECT_EQ(render("", item), "");
    EXPECT_EQ(render("no names", item), "no names");
}

TEST(Template, ListsItsVariablesOnceInOrder) {
    const auto parsed = Template::parse("{{b}} {{a}} {{b}} {{{{c}} {{a.b}}").value();
    EXPECT_EQ(parsed.variables(), (std::vector<std::string>{"b", "a", "a.b"}));
    EXPECT_TRUE(Template::parse("{ } }}").value().variables().empty());
}

TEST(Template, AValueIsNeverReadAgain) {
    const Json item = {{"a", "{{b}} {{a}} {{{{ }}"}, {"b", "secret"}};
    EXPECT_EQ(render("<{{a}}>", item), "<{{b}} {{a}} {{{{ }}>");
    // Nor together with what stands around it.
    const Json half = {{"a", "{{"}, {"b", "x"}};
    EXPECT_EQ(render("{{a}}b}}", half), "{{b}}");
    const Json brace = {{"a", "{"}, {"b", "x"}};
    EXPECT_EQ(render("{{a}}{b}}", brace), "{{b}}");
}

TEST(Template, BracesOfJsonSurvive) {
    const Json item = {{"x", "1"}};
    EXPECT_EQ(render(R"({"a": {"b": {{x}}}})", item), R"({"a": {"b": 1}})");
    EXPECT_EQ(render(R"({"a": {"b": {"c": 1}}})", item), R"({"a": {"b": {"c": 1}}})");
    EXPECT_EQ(render("}} } {} { {", item), "}} } {} { {");
    EXPECT_EQ(render("{{x}}}}", item), "1}}");
    EXPECT_EQ(render("{ {{x}} }", item), "{ 1 }");
}

TEST(Template, FourBracesAreTwo) {
    const Json item = {{"x", "1"}};
    EXPECT_EQ(render("{{{{", item), "{{");
    EXPECT_EQ(render("{{{{x}}", item), "{{x}}");
    EXPECT_EQ(render("{{{{{x}}", item), "{{{x}}");
    EXPECT_EQ(render("{{{{{{x}}", item), "{{1");
    EXPECT_EQ(render("{{{{{{{{", item), "{{{{");
}

TEST(Template, ValuesThatAreNotTextAreWrittenAsJson) {
    const Json item = {
        {"i", 42},
        {"big", 9007199254740993},
        {"f", 0.1},
        {"one", 1.0},
        {"t", true},
        {"list", {1, "a", nullptr}},
        {"object", {{"k", {{"z", "ä"}}}}},
        {"empty", ""}
    };
    EXPECT_EQ(
        render("{{i}} {{big}} {{f}} {{one}} {{t}}", item), "42 9007199254740993 0.1 1.0 true"
    );
    EXPECT_EQ(render("{{list}} {{object}}", item), R"([1,"a",null] {"k":{"z":"ä"}})");
    EXPECT_EQ(render("<{{empty}}>", item), "<>");
}

TEST(Template, DotsReachIntoObjects) {
    const Json item =
        parse_json(R"({"a": {"b": {"c": "deep"}, "d.e": "dotted"}, "a.b": {"x": "flat"},
        "p.q": "exact", "p": {"q": "nested"}, "text": "t"})")
            .value();
    EXPECT_EQ(render("{{a.b.c}}", item), "deep");
    EXPECT_EQ(render("{{a.d.e}}", item), "dotted");
    EXPECT_EQ(render("{{a.b.x}}", item), "flat");
    EXPECT_EQ(render("{{p.q}}", item), "exact");
    EXPECT_NE(
        render("{{text.length}}", item).find("\"text.length\" has no value"), std::string::npos
    );
    EXPECT_EQ(find_variable(Json::array({1}), "0"), nullptr);
    EXPECT_EQ(find_variable(item, "a."), nullptr);
}

TEST(Template, AMissingVariableIsAnErrorThatNamesTheNearest) {
    const Json item =
        parse_json(R"({"question": "?", "meta": {"author": "x"}, "gone": null})").value();
    EXPECT_EQ(
        render("{{qestion}}", item), "variable \"qestion\" has no value, did you mean \"question\"?"
    );
    EXPECT_EQ(
        render("{{meta.auther}}", item),
        "variable \"meta.auther\" has no value, did you mean \"meta.author\"?"
    );
    EXPECT_EQ(render("{{zzzzzz}}", item), "variable \"zzzzzz\" has no value");
    EXPECT_EQ(render("{{gone}}", item), "variable \"gone\" is null");
    EXPECT_EQ(render("{{x}}", Json::array()), "variable \"x\" has no value");
}

TEST(Template, MistakesSayWhereTheyAre) {
    EXPECT_TRUE(render("ab\ncd {{x").starts_with("line 2, column 4: {{ is not closed"));
    EXPECT_TRUE(render("ä€😀 {{x}").starts_with("line 1, column 5: {{ is not closed"));
    EXPECT_TRUE(render("{{1a}}").starts_with("line 1, column 1: \"1a\" is not a name"));
    EXPECT_TRUE(render("x\r\n\n {{a b}}").starts_with("line 3, column 2: \"a b\" is not a name"));
    EXPECT_TRUE(render("{{}}").starts_with("line 1, column 1: a name is missing"));
    EXPECT_TRUE(render("{{ \t}}").starts_with("line 1, column 1: a name is missing"));
    EXPECT_NE(render("{{{x}}}").find("\"{x\" is not a name"), std::string::npos);
    EXPECT_NE(render("{{a\n}}").find("is not a name"), std::string::npos);
    EXPECT_NE(render("{{größe}}").find("is not a name"), std::string::npos);
    EXPECT_NE(render("{{a|upper}}").find("is not a name"), std::string::npos);
    EXPECT_NE(render("{{a}} {{").find("column 7"), std::string::npos);
    EXPECT_NE(render("{{x").find("{{{{"), std::string::npos) << "the escape is not told";
    EXPECT_LT(render("{{" + std::string(5000, '!') + "}}").size(), 250);
}

TEST(Template, LargeValuesGoThroughWhole) {
    std::string large;
    while (large.size() < (1U << 20)) {
        large += "{{a}} }} \xe2\x82\xac\n";
    }
    const std::string got = render("<{{a}}|{{a}}>", {{"a", large}});
    EXPECT_EQ(got.size(), 2 * large.size() + 3);
    EXPECT_EQ(got, "<" + large + "|" + large + ">");
    // And large templates, with as many names as fit.
    std::string text;
    std::string want;
    for (int i = 0; i < 50'000; ++i) {
        text += "{{a}} {{{{ ";
        want += "x {{ ";
    }
    EXPECT_EQ(render(text, {{"a", "x"}}), want);
}

TEST(Template, TakesItsValuesFromAFunctionToo) {
    const auto parsed = Template::parse("{{a}}-{{b.c}}").value();
    const auto lookup = [](std::string_view name) -> std::optional<std::string> {
        return name == "a" ? std::optional<std::string>("{{b.c}}") : std::nullopt;
    };
    const auto failed = parsed.render(lookup, {"b.d", "a"});
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message, "variable \"b.c\" has no value, did you mean \"b.d\"?");
    const auto rendered = parsed.render([](std::string_view name) {
        return std::optional<std::string>(std::string(name) + "{{a}}");
    });
    EXPECT_EQ(rendered.value(), "a{{a}}-b.c{{a}}");
}

TEST(Template, IsRewrittenWithOtherNamesAndTexts) {
    const auto rewritten = [](std::string_view text) {
        const auto parsed = Template::parse(text);
        EXPECT_TRUE(parsed);
        return parsed->rewritten([](std::string_view name) {
            return name == "fixed" ? Template::quote("{{a}} {") : "{{m." + std::string(name) + "}}";
        });
    };
    EXPECT_EQ(rewritten("x {{ a }}{{b}}"), "x {{m.a}}{{m.b}}");
    EXPECT_EQ(rewritten(R"({"a": {{a}}})"), R"({"a": {{m.a}}})");
    const Json item = Json::parse(R"({"m": {"a": "1"}})");
    const auto rendered = [&](std::string_view text) {
        const auto again = Template::parse(rewritten(text));
        EXPECT_TRUE(again) << again.error().message;
        return *again->render(item);
    };
    EXPECT_EQ(rendered("{{{{a}} {{a}}"), "{{a}} 1") << "an escape stays one";
    EXPECT_EQ(rendered("{{fixed}} {{a}}"), "{{a}} { 1") << "what is put in is no template";
    EXPECT_EQ(rendered("{{fixed}}{{a}}"), "{{a}} { 1") << "nor is it with what stands behind it";
    EXPECT_EQ(rendered("{{{{{{a}}"), "{{ 1");
    for (const char* text : {"", "{", "{{", "{{{", "{{{{", "{{{{{", "a{{b}}c", "}}{"}) {
        EXPECT_EQ(*Template::parse(Template::quote(text))->render(item), text);
    }
}

}  // namespace
}  // namespace lab::science
