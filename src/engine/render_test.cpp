#include "engine/render.h"

#include "engine/impl/test_world.h"

#include <gtest/gtest.h>

#include <set>

namespace lab::engine {
namespace {

using domain::Message;
using Messages = std::vector<Message>;

/// A spec with these prompts over rows with q and a; every third is "train".
struct Fixture {
    explicit Fixture(const std::string& prompts, int count = 12)
        : spec(test::spec_of(
              "name: r\ndataset: {path: r.jsonl}\nprompts:\n" + prompts +
              "models: [{id: m, provider: openai, model: m}]\n"
              "scorers: [{type: exact_match, reference: '{{a}}'}]\n"
          )) {
        std::vector<std::string> rows;
        for (int i = 0; i < count; ++i) {
            const std::string n = std::to_string(i);
            rows.push_back(
                R"({"id":"r)" + n + R"(","q":"q)" + n + R"(","a":"a)" + n + R"(","n":)" + n +
                R"(,"deep":{"x":"y)" + n + R"("},"split":")" + (i % 3 == 0 ? "train" : "test") +
                "\"}"
            );
        }
        auto selected = Items::select(test::dataset_of(rows), spec.dataset);
        EXPECT_TRUE(selected) << (selected ? "" : selected.error().message);
        items.emplace(*std::move(selected));
    }
    Renderer make() const {
        auto made = Renderer::make(spec, *items);
        EXPECT_TRUE(made) << (made ? "" : test::problems_of(made.error()));
        return *std::move(made);
    }
    std::string refusal() const {
        const auto made = Renderer::make(spec, *items);
        EXPECT_FALSE(made);
        return made ? "" : test::problems_of(made.error());
    }
    Messages render(std::int64_t item, std::size_t prompt = 0) const {
        auto out = make().render(prompt, items->load(item), item);
        EXPECT_TRUE(out) << (out ? "" : out.error().message);
        return out.value_or(Messages());
    }
    domain::ExperimentSpec spec;
    std::optional<Items> items;
};

TEST(Renderer, FillsEveryMessage) {
    const Fixture fixture(
        "  - {id: p, messages: [{role: system, content: 'Be {{deep.x}}.'},"
        " {role: user, content: '{{q}}? {{ n }} {{{{q}}'}, {role: assistant, content: 'So:'}]}\n"
    );
    EXPECT_EQ(
        fixture.render(3),
        (Messages{{"system", "Be y3."}, {"user", "q3? 3 {{q}}"}, {"assistant", "So:"}})
    );
}

TEST(Renderer, WhatIsPutInIsNotReadAgain) {
    Fixture fixture("  - {id: p, template: '[{{q}}]'}\n");
    Json row = fixture.items->load(0);
    row["q"] = "{{a}} {{{{";
    EXPECT_EQ(fixture.make().render(0, row, 0).value(), (Messages{{"user", "[{{a}} {{{{]"}}));
}

TEST(Renderer, KeepsThePromptsApart) {
    const Fixture fixture(
        "  - 'Q {{q}}'\n"
        "  - {id: two, system: S, template: 'A {{a}}'}\n"
    );
    EXPECT_EQ(fixture.render(1, 0), (Messages{{"user", "Q q1"}}));
    EXPECT_EQ(fixture.render(1, 1), (Messages{{"system", "S"}, {"user", "A a1"}}));
}

TEST(Renderer, AMissingVariableIsAnErrorThatNamesIt) {
    const Fixture fixture("  - {id: p, template: '{{q}} {{answr}}'}\n");
    Json row = fixture.items->load(0);
    row["answer"] = "x";
    const auto out = fixture.make().render(0, row, 0);
    ASSERT_FALSE(out);
    EXPECT_EQ(out.error().code, Code::validation);
    EXPECT_NE(out.error().message.find("answr"), std::string::npos) << out.error().message;
    EXPECT_NE(out.error().message.find("\"answer\""), std::string::npos) << out.error().message;
    row["answr"] = nullptr;
    EXPECT_FALSE(fixture.make().render(0, row, 0)) << "null is nothing to put in";
}

TEST(Renderer, BrokenTemplatesAreReportedTogetherWhereTheyStand) {
    const Fixture fixture(
        "  - 'one {{q'\n"
        "  - {id: two, system: 'fine {{q}}', template: '{{1}}'}\n"
        "  - {id: three, messages: [{role: system, content: ok}, {role: user, content: '{{}}'}]}\n"
        "  - {id: four, system: '{{', template: '{{q}}'}\n"
        "  - {id: five, template: '{{q}}', few_shot: {count: 1, template: '{{q}} {{'}}\n"
        "  - {id: six, template: '{{q}}', few_shot: {count: 1, messages:"
        " [{role: user, content: ok}, {role: assistant, content: '{{a!}}'}]}}\n"
    );
    const auto made = Renderer::make(fixture.spec, *fixture.items);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Code::validation);
    std::vector<std::string> paths;
    for (const Detail& detail : made.error().details) {
        paths.push_back(detail.field);
        EXPECT_TRUE(detail.message.starts_with("line 1, column ")) << detail.message;
    }
    EXPECT_EQ(
        paths,
        (std::vector<std::string>{
            "prompts[0]",
            "prompts[1].template",
            "prompts[2].messages[1].content",
            "prompts[3].system",
            "prompts[4].few_shot.template",
            "prompts[5].few_shot.messages[1].content"
        })
    );
}

TEST(Renderer, TellsWhichRowsItsVariablesAreReadFrom) {
    const Fixture fixture(
        "  - {id: p, system: '{{n}}', template: '{{q}} {{deep.x}} {{q}}', few_shot: {count: 2,"
        " split: train, template: '{{q}} {{a}}'}}\n"
    );
    std::string out;
    const Renderer renderer = fixture.make();
    for (const Renderer::Variable& variable : renderer.variables()) {
        out += variable.path + " " + variable.name + " " +
               std::to_string(variable.rows == nullptr ? 0 : variable.rows->size()) + "\n";
    }
    EXPECT_EQ(
        out,
        "prompts[0].system n 0\n"
        "prompts[0].template q 0\n"
        "prompts[0].template deep.x 0\n"
        "prompts[0].few_shot.template q 4\n"
        "prompts[0].few_shot.template a 4\n"
    );
}

// Few-shot examples.

constexpr const char* kShots =
    "  - {id: p, system: S, template: 'Q: {{q}}', few_shot: {count: 3, seed: 5, messages:"
    " [{role: user, content: 'Q: {{q}}'}, {role: assistant, content: '{{a}}'}]}}\n";

TEST(FewShot, StandsBeforeTheLastMessage) {
    const Fixture fixture(kShots);
    const Messages messages = fixture.render(4);
    ASSERT_EQ(messages.size(), 1U + 3 * 2 + 1);
    EXPECT_EQ(messages.front(), (Message{"system", "S"}));
    EXPECT_EQ(messages.back(), (Message{"user", "Q: q4"}));
    for (std::size_t i = 1; i < 7; i += 2) {
        EXPECT_EQ(messages[i].role, "user");
        EXPECT_EQ(messages[i + 1].role, "assistant");
        EXPECT_EQ("Q: q" + messages[i + 1].content.substr(1), messages[i].content)
            << "question and answer are of one row";
    }
}

TEST(FewShot, NeverShowsTheItemItself) {
    for (int seed = 0; seed < 30; ++seed) {
        Fixture fixture(kShots, 6);
        fixture.spec.prompts[0].few_shot->seed = static_cast<std::uint64_t>(seed);
        const Renderer renderer = fixture.make();
        for (std::int64_t item = 0; item < 6; ++item) {
            const Messages messages = renderer.render(0, fixture.items->load(item), item).value();
            std::set<std::string> shown;
            for (std::size_t i = 1; i + 1 < messages.size(); i += 2) {
                EXPECT_NE(messages[i].content, messages.back().content);
                EXPECT_TRUE(shown.insert(messages[i].content).second) << "no example twice";
            }
            EXPECT_EQ(shown.size(), 3U);
        }
    }
}

TEST(FewShot, DependsOnTheSeedAlone) {
    Fixture fixture(kShots);
    const Messages first = fixture.render(4);
    EXPECT_EQ(first, fixture.render(4));
    std::set<std::string> others;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        fixture.spec.prompts[0].few_shot->seed = seed;
        std::string all;
        for (const Message& message : fixture.render(4)) {
            all += message.content + "\n";
        }
        others.insert(all);
    }
    EXPECT_GT(others.size(), 10U);
}

TEST(FewShot, DrawsFromItsSplitAlsoWhatTheRunDoesNotUse) {
    Fixture fixture(
        "  - {id: p, template: '{{q}}', few_shot: {count: 3, split: train, messages:"
        " [{role: user, content: '{{n}}'}]}}\n"
    );
    domain::DatasetSpec test_only = fixture.spec.dataset;
    test_only.split = "test";
    std::vector<std::string> rows;
    for (std::int64_t i = 0; i < fixture.items->file().rows(); ++i) {
        rows.emplace_back(fixture.items->file().row(i));
    }
    fixture.items.emplace(Items::select(test::dataset_of(rows), test_only).value());
    ASSERT_EQ(fixture.items->count(), 8);
    for (std::int64_t item = 0; item < 8; ++item) {
        const Messages messages = fixture.render(item);
        ASSERT_EQ(messages.size(), 4U);
        for (std::size_t i = 0; i < 3; ++i) {
            EXPECT_EQ(std::stoi(messages[i].content) % 3, 0) << "train rows only";
        }
    }
}

TEST(FewShot, WrittenAsTemplateStandsInTheText) {
    const Fixture fixture(
        "  - {id: p, system: S, template: 'Q: {{q}} A:', few_shot: {count: 2,"
        " template: 'Q: {{q}} A: {{a}}', separator: ' ## '}}\n"
    );
    const Messages messages = fixture.render(7);
    ASSERT_EQ(messages.size(), 2U);
    EXPECT_EQ(messages[0], (Message{"system", "S"}));
    const std::string& text = messages[1].content;
    EXPECT_TRUE(text.ends_with(" ## Q: q7 A:")) << text;
    const std::size_t first = text.find(" ## ");
    const std::size_t second = text.find(" ## ", first + 1);
    EXPECT_EQ(text.find(" ## ", second + 1), std::string::npos) << "two examples: " << text;
    EXPECT_EQ(text.find("Q: q"), 0U);
    EXPECT_NE(text.find(" A: a"), std::string::npos);
}

TEST(FewShot, APoolTooSmallIsRefused) {
    const std::string prompt =
        "  - {id: p, template: '{{q}}', few_shot: {count: 4, split: train, template: '{{q}}'}}\n";
    EXPECT_EQ(
        Fixture(prompt).refusal(),
        "prompts[0].few_shot.count: asks for 4 examples and the pool has 4 rows; it needs one more "
        "than it gives"
    );
    EXPECT_EQ(Fixture(prompt, 13).render(0).size(), 1U) << "five rows are enough for four";
}

}  // namespace
}  // namespace lab::engine
