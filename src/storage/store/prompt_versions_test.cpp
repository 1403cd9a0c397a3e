#include "storage/store/prompt_versions.h"

#include "storage/store/impl/test_store.h"
#include "storage/store/resources.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

class PromptVersionsContract : public test::StoreTest {
  protected:
    std::int64_t make_prompt(const std::string& id) {
        Resource out;
        out.id = out.name = id;
        out.created_at = out.updated_at = "2026-01-01T00:00:00.000000Z";
        EXPECT_TRUE(Resources(*session_, ResourceKind::prompt).create(ctx_, out));
        return out.key;
    }
    static PromptVersion version(const std::string& id, std::int64_t number) {
        return {
            .id = id,
            .number = number,
            .body = R"({"template":")" + id + "\"}",
            .created_at = "2026-01-0" + std::to_string(number) + "T00:00:00.000000Z",
        };
    }
    std::vector<std::int64_t> numbers(
        std::int64_t prompt,
        std::optional<std::int64_t> before,
        std::int64_t limit,
        std::int64_t offset
    ) {
        std::vector<std::int64_t> out;
        const auto found = versions_.list(ctx_, prompt, before, limit, offset);
        EXPECT_TRUE(found) << (found ? "" : found.error().cause);
        for (const PromptVersion& one : found.value()) {
            out.push_back(one.number);
        }
        return out;
    }
    using Numbers = std::vector<std::int64_t>;
    PromptVersions versions_{*session_};
};

TEST_P(PromptVersionsContract, AreKeptOnceAndFoundByIdAndNumber) {
    const std::int64_t prompt = make_prompt("p");
    const std::int64_t other = make_prompt("other");
    EXPECT_TRUE(*versions_.add(ctx_, prompt, version("a", 1)));
    EXPECT_FALSE(*versions_.add(ctx_, prompt, version("a", 1))) << "kept already";
    const auto taken = versions_.add(ctx_, prompt, version("b", 1));
    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Code::conflict);
    EXPECT_TRUE(*versions_.add(ctx_, other, version("c", 1))) << "each prompt counts for itself";

    const auto found = versions_.find(ctx_, prompt, "a");
    ASSERT_TRUE(found);
    ASSERT_TRUE(*found);
    EXPECT_EQ((*found)->number, 1);
    EXPECT_EQ((*found)->body, R"({"template":"a"})");
    EXPECT_EQ((*found)->created_at, "2026-01-01T00:00:00.000000Z");
    EXPECT_FALSE(*versions_.find(ctx_, other, "a")) << "it belongs to another prompt";
    EXPECT_EQ((*versions_.find_number(ctx_, other, 1))->id, "c");
    EXPECT_FALSE(*versions_.find_number(ctx_, other, 2));
}

TEST_P(PromptVersionsContract, AreListedNewestFirst) {
    const std::int64_t prompt = make_prompt("p");
    for (int number = 1; number <= 5; ++number) {
        const std::string id = "v" + std::to_string(number);
        ASSERT_TRUE(*versions_.add(ctx_, prompt, version(id, number)));
    }
    EXPECT_EQ(*versions_.count(ctx_, prompt), 5);
    EXPECT_EQ(numbers(prompt, std::nullopt, 10, 0), (Numbers{5, 4, 3, 2, 1}));
    EXPECT_EQ(numbers(prompt, std::nullopt, 2, 1), (Numbers{4, 3}));
    EXPECT_EQ(numbers(prompt, 3, 10, 0), (Numbers{2, 1}));
    EXPECT_EQ(numbers(make_prompt("empty"), std::nullopt, 10, 0), Numbers{});
}

TEST_P(PromptVersionsContract, GoWithTheirPrompt) {
    Resource prompt;
    prompt.id = prompt.name = "p";
    Resources prompts(*session_, ResourceKind::prompt);
    ASSERT_TRUE(prompts.create(ctx_, prompt));
    ASSERT_TRUE(*versions_.add(ctx_, prompt.key, version("a", 1)));
    ASSERT_TRUE(*prompts.remove(ctx_, prompt));
    EXPECT_EQ(*versions_.count(ctx_, prompt.key), 0);
}

LAB_ALL_BACKENDS(PromptVersionsContract);

}  // namespace
}  // namespace lab::storage
