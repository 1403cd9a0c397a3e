#include "base/rng.h"
#include "base/text.h"
#include "platform/json/json.h"
#include "providers/impl/codec_test_support.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace lab::providers::test {
namespace {

using http::TransferFailure;

TEST(Codecs, GiveTheSameWhereverTheBytesAreCut) {
    for (const Case& one : recorded_cases()) {
        const auto codec = one.codec();
        const CallResult whole = read(*codec, one.recorded);
        for (std::size_t step = 1; step < std::min<std::size_t>(one.recorded.body.size(), 700);
             ++step) {
            ASSERT_TRUE(same(read(*codec, one.recorded, step), whole)) << one.name << " " << step;
        }
    }
}

TEST(Codecs, ATruncatedResponseIsNeverAnAnswerUnlessItsEndWasSeen) {
    for (const Case& one : recorded_cases()) {
        if (one.recorded.status != 200) {
            continue;
        }
        const auto codec = one.codec();
        const CallResult whole = read(*codec, one.recorded);
        for (std::size_t length = 0; length < one.recorded.body.size(); ++length) {
            Recorded part = one.recorded;
            part.body.resize(length);
            part.failure = TransferFailure::closed;
            const CallResult got = read(*codec, part);
            if (got.outcome == Outcome::ok) {
                ASSERT_EQ(got.output, whole.output) << one.name << " at " << length;
                ASSERT_EQ(got.finish_reason, whole.finish_reason) << one.name << " at " << length;
            } else {
                ASSERT_FALSE(got.error.message.empty()) << one.name << " at " << length;
            }
            // The same without an error from the wire: a server that ends its stream too early.
            part.failure = TransferFailure::none;
            const CallResult quiet = read(*codec, part);
            if (quiet.outcome == Outcome::ok) {
                ASSERT_EQ(quiet.output, whole.output) << one.name << " at " << length;
            }
        }
    }
}

/// Whatever a server sends, a reader neither crashes nor hands on what is not valid.
TEST(Codecs, SurviveMutatedResponses) {
    Rng rng(7);
    const std::vector<Case> cases = recorded_cases();
    std::array<int, 7> outcomes{};
    for (int i = 0; i < 5'000; ++i) {
        const Case& one = cases[static_cast<std::size_t>(rng.below(cases.size()))];
        Recorded mutated = one.recorded;
        std::string& body = mutated.body;
        const std::uint64_t changes = 1 + rng.below(8);
        for (std::uint64_t c = 0; c < changes && !body.empty(); ++c) {
            const auto at = static_cast<std::size_t>(rng.below(body.size()));
            switch (rng.below(5)) {
                case 0:
                    body[at] = static_cast<char>(rng.below(256));
                    break;
                case 1:
                    body.erase(at, static_cast<std::size_t>(rng.below(20)));
                    break;
                case 2:
                    body.insert(
                        at, body.substr(static_cast<std::size_t>(rng.below(body.size())), 30)
                    );
                    break;
                case 3:
                    body.insert(at, 1, "{}[]\",:\n\\-9"[rng.below(11)]);
                    break;
                default:
                    body.resize(at);
            }
        }
        if (rng.below(8) == 0) {
            mutated.type = rng.below(2) == 0 ? "text/event-stream" : "text/html";
        }
        const auto step = static_cast<std::size_t>(1 + rng.below(64));
        const CallResult got = read(*one.codec(), mutated, step);
        ++outcomes[static_cast<std::size_t>(got.outcome)];
        ASSERT_TRUE(is_utf8(got.output)) << one.name << " " << i;
        ASSERT_TRUE(is_utf8(got.error.message)) << one.name << " " << i;
        ASSERT_LT(got.error.message.size(), 800U) << one.name << " " << i;
        ASSERT_TRUE(got.logprobs.empty() || parse_json(got.logprobs)) << got.logprobs;
        ASSERT_GE(got.usage.input, 0);
        ASSERT_GE(got.usage.output, 0);
        ASSERT_EQ(got.outcome == Outcome::ok, got.error.message.empty()) << one.name << " " << i;
    }
    EXPECT_GT(outcomes[static_cast<std::size_t>(Outcome::ok)], 100);
    EXPECT_GT(outcomes[static_cast<std::size_t>(Outcome::nonsense)], 300);
    EXPECT_GT(outcomes[static_cast<std::size_t>(Outcome::network)], 100);
}

TEST(Codecs, TheKeyStaysOutOfMessagesWhereverAServerEchoesIt) {
    const std::string key = "sk-canary-0123456789";
    for (const Case& one : recorded_cases()) {
        const auto codec = one.codec();
        for (const std::size_t before : {0U, 470U, 485U, 495U, 590U, 4080U}) {
            const std::string padding(before, '.');
            for (const Recorded& echo :
                 {Recorded{
                      401,
                      "application/json",
                      R"({"error":{"message":")" + padding + "Incorrect key: " + key + R"("}})"
                  },
                  Recorded{500, "text/plain", padding + key},
                  Recorded{200, "text/html", "<p>" + padding + key},
                  Recorded{200, "text/event-stream", "data: " + padding + key + "\n\n"},
                  Recorded{200, "application/json", R"({"error":")" + padding + key + R"("})"}}) {
                const CallResult got = read(*codec, echo);
                EXPECT_NE(got.outcome, Outcome::ok);
                EXPECT_EQ(got.error.message.find("sk-can"), std::string::npos)
                    << one.name << ": " << got.error.message;
            }
        }
        EXPECT_EQ(codec->redact("a " + key + key + " b"), "a [key][key] b");
    }
}

TEST(Codecs, JudgeTransfersThatBroughtNoResponse) {
    for (const Case& one : recorded_cases()) {
        const auto codec = one.codec();
        const auto judge = [&](TransferFailure failure) {
            return codec->make_reader(question())->finish({failure, "why", 0});
        };
        for (const TransferFailure failure :
             {TransferFailure::connect,
              TransferFailure::timeout,
              TransferFailure::closed,
              TransferFailure::protocol}) {
            const CallResult got = judge(failure);
            EXPECT_EQ(got.outcome, Outcome::network);
            EXPECT_TRUE(got.counts_for_breaker);
            EXPECT_EQ(
                got.error.code,
                failure == TransferFailure::timeout ? Code::upstream_timeout : Code::upstream_error
            );
        }
        const CallResult cancelled = judge(TransferFailure::cancelled);
        EXPECT_EQ(cancelled.outcome, Outcome::cancelled);
        EXPECT_FALSE(cancelled.counts_for_breaker);
    }
}

TEST(Codecs, JudgeErrorsByTheirStatus) {
    struct Row {
        int status;
        Outcome outcome;
        bool breaker;
    };
    for (const Row& row : std::vector<Row>{
             {301, Outcome::refused, false},
             {400, Outcome::refused, false},
             {401, Outcome::refused, false},
             {403, Outcome::refused, false},
             {404, Outcome::refused, false},
             {408, Outcome::overloaded, false},
             {409, Outcome::overloaded, false},
             {413, Outcome::refused, false},
             {422, Outcome::refused, false},
             {429, Outcome::rate_limited, false},
             {500, Outcome::overloaded, true},
             {502, Outcome::overloaded, true},
             {503, Outcome::overloaded, true},
             {529, Outcome::overloaded, true}
         }) {
        for (const Case& one : recorded_cases()) {
            for (const char* body :
                 {"", "<html>no</html>", R"({"error":{"message":"no"}})", R"({"detail":"no"})"}) {
                const CallResult got = read(*one.codec(), {row.status, "application/json", body});
                EXPECT_EQ(got.outcome, row.outcome) << row.status;
                EXPECT_EQ(got.counts_for_breaker, row.breaker) << row.status;
                EXPECT_EQ(got.http_status, row.status);
                const std::string want = "answered " + std::to_string(row.status);
                EXPECT_NE(got.error.message.find(want), std::string::npos) << got.error.message;
            }
        }
    }
}

TEST(Codecs, AnErrorThatBreaksOffIsStillThatError) {
    for (const Case& one : recorded_cases()) {
        const CallResult got = read(
            *one.codec(),
            broken_off({503, "application/json", R"({"error":{"mess)"}, TransferFailure::closed)
        );
        EXPECT_EQ(got.outcome, Outcome::overloaded);
        EXPECT_EQ(got.http_status, 503);
    }
}

TEST(Codecs, WhatIsNotOfTheProtocolIsNonsenseAndQuoted) {
    for (const Case& one : recorded_cases()) {
        for (const Recorded& garbage :
             {Recorded{200, "text/html", "<html><title>Sign in</title></html>"},
              Recorded{200, "text/plain", "<html><title>Sign in</title></html>"},
              json_of(R"({"hello":"Sign in"})"),
              json_of("[1,2]"),
              json_of("\"Sign in\""),
              stream_of("data: Sign in\n\n"),
              stream_of("Sign in\n\n"),
              json_of(""),
              stream_of("")}) {
            const CallResult got = read(*one.codec(), garbage);
            EXPECT_EQ(got.outcome, Outcome::nonsense) << one.name << ": " << garbage.body;
            if (garbage.body.find("Sign in") != std::string::npos) {
                EXPECT_NE(got.error.message.find("Sign in"), std::string::npos)
                    << got.error.message;
            }
        }
    }
}

TEST(Codecs, ADamagedStreamIsQuotedTheSameWhereverItIsCut) {
    for (const Case& one : recorded_cases()) {
        if (one.recorded.type != "text/event-stream") {
            continue;
        }
        // Its first event can be read, one behind it cannot.
        Recorded damaged = one.recorded;
        const std::size_t first = damaged.body.find("\n\n");
        damaged.body.insert(first == std::string::npos ? 0 : first + 2, "data: {\"a\":\n\n");
        const auto codec = one.codec();
        const CallResult whole = read(*codec, damaged);
        for (const std::size_t step : {1U, 7U, 64U, 300U}) {
            EXPECT_TRUE(same(read(*codec, damaged, step), whole)) << one.name << " " << step;
        }
    }
}

TEST(Codecs, AnAnswerLargerThanAnyModelWritesIsRefused) {
    const std::string huge(10'000'000, 'x');
    const auto codec = recorded_cases().front().codec();
    const auto streamed = stream_of(
        R"(data: {"object":"chat.completion.chunk","choices":[{"delta":{"content":")" + huge +
        R"("}}]})" + "\n\ndata: [DONE]\n\n"
    );
    const CallResult one_event = read(*codec, streamed, 16'384);
    EXPECT_EQ(one_event.outcome, Outcome::nonsense);
    EXPECT_LT(one_event.error.message.size(), 200U);
    const CallResult body = read(
        *codec,
        json_of(R"({"choices":[{"message":{"content":")" + huge + R"("},"finish_reason":"stop"}]})")
    );
    EXPECT_EQ(body.outcome, Outcome::nonsense);
    const CallResult cut = read(*codec, broken_off(streamed, TransferFailure::too_large), 5'000);
    EXPECT_EQ(cut.outcome, Outcome::nonsense);
}

TEST(Codecs, EncodeValidJsonWhateverTheTextHolds) {
    const std::string nasty =
        std::string("q\"\\\n\t\x01\x7f caf\xC3\xA9 \xFF\xF0 </script>") + '\0';
    Json parameters = Json::object();
    parameters["temperature"] = 0.5;
    parameters["we\"ird"] = nasty;
    for (const Case& one : recorded_cases()) {
        for (const bool stream : {true, false}) {
            CallRequest request = question(nasty, stream);
            request.messages.insert(request.messages.begin(), {"system", nasty});
            request.parameters = &parameters;
            request.timeout = std::chrono::seconds(7);
            const http::Request encoded = one.codec()->encode(request);
            const auto body = parse_json(encoded.body);
            ASSERT_TRUE(body) << one.name << ": " << encoded.body;
            EXPECT_EQ(encoded.total_timeout, std::chrono::seconds(7));
            EXPECT_EQ(encoded.connect_timeout, std::chrono::seconds(7));
            EXPECT_EQ(http::find_header(encoded.headers, "content-type"), "application/json");
            EXPECT_EQ(encoded.url.find("sk-canary"), std::string::npos);
            EXPECT_EQ(encoded.body.find("sk-canary"), std::string::npos);
            EXPECT_NE(encoded.body.find("0.5"), std::string::npos);
        }
        EXPECT_EQ(one.codec()->endpoint().find("sk-canary"), std::string::npos);
    }
}

TEST(Codecs, TheWorstCaseIsNeverBelowWhatTheTextCanBe) {
    Json parameters = Json::object();
    parameters["max_tokens"] = 50;
    for (const Case& one : recorded_cases()) {
        CallRequest request = question("0123456789");
        request.parameters = &parameters;
        const domain::Usage worst = one.codec()->worst_case(request);
        EXPECT_GE(worst.input, 10) << "a tokenizer of bytes makes one token of each";
        EXPECT_LE(worst.input, 40);
        EXPECT_EQ(worst.output, 50);
        request.parameters = nullptr;
        EXPECT_GE(one.codec()->worst_case(request).output, 4096);
    }
    parameters["tools"] = Json::array({std::string(1000, 'x')});
    CallRequest request = question("0123456789");
    request.parameters = &parameters;
    EXPECT_GT(recorded_cases().front().codec()->worst_case(request).input, 1000);
}

}  // namespace
}  // namespace lab::providers::test
