#include "providers/replay.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>

namespace lab::providers {
namespace {

class Records {
  public:
    explicit Records(const std::string& text)
        : path_(testing::TempDir() + "lab_replay_" + std::to_string(::getpid()) + ".jsonl") {
        std::ofstream(path_, std::ios::binary) << text;
    }
    ~Records() { std::remove(path_.c_str()); }
    domain::ModelSpec model() const {
        domain::ModelSpec model;
        model.id = "m";
        model.replay = domain::ReplaySpec{.path = path_};
        return model;
    }

  private:
    std::string path_;
};

CallResult ask(Provider& provider, const std::string& id) {
    CallRequest request;
    request.item_id = id;
    std::optional<CallResult> got;
    provider.start(std::move(request), [&](CallResult result) { got = std::move(result); });
    EXPECT_TRUE(got.has_value()) << "answers while it is asked";
    return std::move(*got);
}

TEST(Replay, AnswersByItemId) {
    const Records records(
        "{\"id\":\"a\",\"output\":\"one\"}\n\n{\"id\":7,\"output\":\"two\",\"usage\":{\"input\":3},"
        "\"latency_ms\":1.5,\"finish_reason\":\"length\"}\n"
    );
    auto provider = make_replay_provider(records.model());
    ASSERT_TRUE(provider) << provider.error().message;
    EXPECT_TRUE((*provider)->is_replay());
    EXPECT_EQ(ask(**provider, "a").output, "one");
    const CallResult two = ask(**provider, "7");
    EXPECT_EQ(two.output, "two");
    EXPECT_EQ(two.usage.input, 3);
    EXPECT_EQ(two.latency, std::chrono::microseconds(1500));
    EXPECT_EQ(two.finish_reason, "length");
    EXPECT_TRUE(two.replayed);
    const CallResult none = ask(**provider, "b");
    EXPECT_EQ(none.outcome, Outcome::refused);
    EXPECT_NE(none.error.message.find("\"b\""), std::string::npos);
}

TEST(Replay, ReachesIntoNestedObjectsAndCountsRowsWithoutIds) {
    const Records records("{\"m\":{\"solution\":\"x\"}}\n{\"m\":{\"solution\":\"y\"}}\n");
    domain::ModelSpec model = records.model();
    model.replay->output_field = "m.solution";
    auto provider = make_replay_provider(model);
    ASSERT_TRUE(provider) << provider.error().message;
    EXPECT_EQ(ask(**provider, "2").output, "y");
    EXPECT_EQ(ask(**provider, "3").outcome, Outcome::refused);
}

TEST(Replay, NamesTheLineOfWhatIsWrong) {
    const auto message = [](const std::string& text) {
        const Records records(text);
        const auto provider = make_replay_provider(records.model());
        return provider ? std::string() : provider.error().message;
    };
    EXPECT_NE(
        message("{\"id\":1,\"output\":\"x\"}\n{\"id\":2}\n").find(":2: the row has no field"),
        std::string::npos
    );
    EXPECT_NE(
        message("{\"id\":1,\"output\":\"x\"}\n{\"id\":1,\"output\":\"y\"}\n")
            .find("lines 1 and 2 have the same id \"1\""),
        std::string::npos
    );
    EXPECT_NE(
        message("{\"id\":1,\"output\":\"x\"}\n{\"output\":\"y\"}\n").find(":2: "), std::string::npos
    );
    EXPECT_NE(message("{\n").find(":1: not JSON"), std::string::npos);
    EXPECT_NE(message(""), "");
    domain::ModelSpec missing;
    missing.replay = domain::ReplaySpec{.path = "/nonexistent/outputs.jsonl"};
    EXPECT_EQ(make_replay_provider(missing).error().code, Code::not_found);
}

TEST(Replay, FindsEveryOneOfManyRows) {
    std::string text;
    for (int i = 0; i < 20'000; ++i) {
        text += "{\"id\":\"item-" + std::to_string(i) + "\",\"output\":\"" + std::to_string(i * 3) +
                "\"}\n";
    }
    const Records records(text);
    auto provider = make_replay_provider(records.model());
    ASSERT_TRUE(provider);
    for (int i = 0; i < 20'000; ++i) {
        ASSERT_EQ(ask(**provider, "item-" + std::to_string(i)).output, std::to_string(i * 3));
    }
}

TEST(Replay, ReachesIntoListsAndNamesWithDots) {
    const Records records(
        "\xEF\xBB\xBF{\"meta\":{\"id\":\"x\"},\"choices\":[{\"t\":\"no\"},{\"t\":\"yes\"}],"
        "\"a.b\":\"dotted\"}\r\n"
    );
    domain::ModelSpec model = records.model();
    model.replay->id_field = "meta.id";
    for (const auto& [field, want] :
         {std::pair{"choices.1.t", "yes"}, {"a.b", "dotted"}, {"meta", "{\"id\":\"x\"}"}}) {
        model.replay->output_field = field;
        auto provider = make_replay_provider(model);
        ASSERT_TRUE(provider) << provider.error().message;
        EXPECT_EQ(ask(**provider, "x").output, want);
    }
    model.replay->output_field = "choices.2.t";
    EXPECT_FALSE(make_replay_provider(model));
}

TEST(Replay, NumbersRowsWhenAsked) {
    const Records records("{\"id\":\"a\",\"output\":\"one\"}\n\n{\"id\":\"a\",\"output\":\"two\"}\n"
    );
    domain::ModelSpec model = records.model();
    model.replay->id_field = "line";
    auto provider = make_replay_provider(model);
    ASSERT_TRUE(provider) << provider.error().message;
    EXPECT_EQ(ask(**provider, "2").output, "two") << "an empty line is no row";
    for (const char* id : {"", "0", "3", "01", "a", "-1", "99999999999999999999"}) {
        EXPECT_EQ(ask(**provider, id).outcome, Outcome::refused) << id;
    }
}

TEST(Replay, ARecordedNullIsASampleWithoutAnOutput) {
    const Records records("{\"id\":1,\"output\":null}\n{\"id\":2,\"output\":\"\"}\n");
    auto provider = make_replay_provider(records.model());
    ASSERT_TRUE(provider);
    EXPECT_EQ(ask(**provider, "1").outcome, Outcome::refused);
    EXPECT_EQ(ask(**provider, "2").outcome, Outcome::ok);
}

TEST(Replay, ShowsEveryProblemOfAFile) {
    std::string text;
    for (int i = 0; i < 50; ++i) {
        text += i % 2 == 0 ? "{\"id\":1}\n" : "{\"id\":1,\n";
    }
    const Records records(text);
    const auto provider = make_replay_provider(records.model());
    ASSERT_FALSE(provider);
    EXPECT_EQ(provider.error().code, Code::validation);
    EXPECT_EQ(provider.error().details.size(), 20U) << "the first of them";
    EXPECT_NE(provider.error().message.find("(and 49 problems more)"), std::string::npos);
}

TEST(Replay, ReadsRowsOfAnySize) {
    std::string text;
    for (const std::size_t size : {1U, 4000U, 4095U, 4096U, 4097U, 100'000U, 3'000'000U}) {
        text +=
            "{\"id\":" + std::to_string(size) + ",\"output\":\"" + std::string(size, 'x') + "\"}\n";
    }
    text.pop_back();  // the last line has no end
    const Records records(text);
    auto provider = make_replay_provider(records.model());
    ASSERT_TRUE(provider) << provider.error().message;
    for (const std::size_t size : {3'000'000U, 100'000U, 4097U, 4096U, 4095U, 4000U, 1U}) {
        EXPECT_EQ(ask(**provider, std::to_string(size)).output.size(), size);
    }
}

TEST(Replay, SaysSoWhenTheFileHasChanged) {
    auto records = std::make_unique<Records>("{\"id\":\"a\",\"output\":\"one\"}\n");
    auto provider = make_replay_provider(records->model());
    ASSERT_TRUE(provider);
    const Records other("{\"id\":\"b\",\"output\":\"one\"}\n");  // the same file, written anew
    const CallResult got = ask(**provider, "a");
    EXPECT_EQ(got.outcome, Outcome::refused);
    EXPECT_NE(got.error.message.find("has changed"), std::string::npos) << got.error.message;
}

}  // namespace
}  // namespace lab::providers
