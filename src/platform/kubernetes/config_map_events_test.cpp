#include "platform/kubernetes/config_map_events.h"

#include <gtest/gtest.h>

namespace lab::kubernetes {
namespace {

using Kind = WatchEvent::Kind;

constexpr const char* kName = "settings";

std::string line(const std::string& type, const std::string& object) {
    return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}
std::string object(const std::string& version, const std::string& data, const char* name = kName) {
    return R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":")" + std::string(name) +
           R"(","resourceVersion":")" + version + R"(","managedFields":[{"a":{}}]},"data":)" +
           data + "}";
}
/// All events of a stream given so many bytes at a time; "broken" when it breaks.
std::string read(std::string_view text, std::size_t step = 1 << 20, std::size_t max = 1 << 20) {
    WatchReader reader(kName, max);
    std::string out;
    while (!text.empty()) {
        reader.feed(text.substr(0, step));
        text.remove_prefix(std::min(step, text.size()));
        for (;;) {
            const auto event = reader.next();
            if (!event) {
                EXPECT_EQ(event.error().code, Code::upstream_error);
                EXPECT_FALSE(reader.next());
                return out + "broken";
            }
            if (!*event) {
                break;
            }
            out += std::to_string(static_cast<int>((*event)->kind)) + ":" + (*event)->version +
                   ":" + std::to_string((*event)->code);
            for (const auto& [key, value] : (*event)->values) {
                out += "," + key + "=" + value;
            }
            out += ";";
        }
    }
    return out;
}

TEST(ConfigMapList, HasItsVersionAndTheValuesOfTheOneThatIsMeant) {
    const auto state = read_config_map_list(
        R"({"kind":"ConfigMapList","metadata":{"resourceVersion":"71"},"items":[)" +
            object("5", R"({"LOG_LEVEL":"warn","A":"b"})") + "," +
            object("6", R"({"LOG_LEVEL":"off"})", "other") + "]}",
        kName
    );
    ASSERT_TRUE(state);
    EXPECT_EQ(state->version, "71");
    EXPECT_EQ(state->values, (ConfigMapValues{{"LOG_LEVEL", "warn"}, {"A", "b"}}));
}

TEST(ConfigMapList, OneThatIsNotThereHasNoValues) {
    for (const char* items : {"[]", "null", R"([{"metadata":{"name":"settings"}}])"}) {
        const auto state = read_config_map_list(
            R"({"metadata":{"resourceVersion":"1"},"items":)" + std::string(items) + "}", kName
        );
        ASSERT_TRUE(state) << items;
        EXPECT_TRUE(state->values.empty());
    }
}

TEST(ConfigMapList, WhatIsNoneIsRefusedWithoutAWordOfIt) {
    for (const char* body :
         {"",
          "secret",
          "[]",
          "{}",
          R"({"items":[]})",
          R"({"metadata":{"resourceVersion":1},"items":[]})",
          R"({"metadata":{"resourceVersion":"1 2"},"items":[]})",
          R"({"metadata":{"resourceVersion":"1"},"items":{}})",
          R"({"metadata":{"resourceVersion":"1"},"items":[{"metadata":{"name":"settings"},"data":{"A":1}}]})"
         }) {
        const auto state = read_config_map_list(body, kName);
        ASSERT_FALSE(state) << body;
        EXPECT_EQ(
            state.error().message, "the API server answers with what is no list of ConfigMaps"
        );
    }
}

TEST(WatchReader, TellsChangesHoweverTheyAreCut) {
    const std::string text =
        line("ADDED", object("10", R"({"A":"1"})")) + line("MODIFIED", object("11", "{}")) +
        "\r\n" + line("MODIFIED", object("12", R"({"A":"x"})", "other")) +
        line("BOOKMARK", R"({"metadata":{"resourceVersion":"13"}})") +
        line("DELETED", object("14", R"({"A":"1"})")) + line("LATER", object("15", "null")) +
        line("ERROR", R"({"kind":"Status","code":410,"reason":"Expired"})") + R"({"type":"ADD)";
    const std::string want = "0:10:0,A=1;0:11:0;4:12:0;2:13:0;1:14:0;4:15:0;3::410;";
    for (const std::size_t step : {1U, 2U, 7U, 4096U}) {
        EXPECT_EQ(read(text, step), want) << step;
    }
}

TEST(WatchReader, WhatIsNoEventBreaksTheStream) {
    for (const std::string& bad :
         {std::string("secret\n"),
          std::string("[]\n"),
          std::string("{}\n"),
          std::string(R"({"type":"ADDED"})") + "\n",
          line("ADDED", "7"),
          line("ADDED", R"({"metadata":{"name":"settings"}})"),
          line("ADDED", object("1/../2", "{}")),
          line("MODIFIED", object("1", R"({"A":null})"))}) {
        EXPECT_EQ(read(line("ADDED", object("1", "{}")) + bad), "0:1:0;broken") << bad;
    }
}

TEST(WatchReader, LinesHaveALimitHoweverTheyAreCut) {
    const std::string good = line("ADDED", object("1", "{}"));
    const std::size_t max = good.size() - 1;
    for (const std::size_t step : {std::size_t{1}, std::size_t{64}, std::size_t{4096}}) {
        EXPECT_EQ(read(good + good, step, max), "0:1:0;0:1:0;");
        EXPECT_EQ(read(good + std::string(max, ' ') + "\n", step, max), "0:1:0;");
        EXPECT_EQ(read(good + std::string(max + 1, ' '), step, max), "0:1:0;broken");
        EXPECT_EQ(read(good + std::string(max + 1, ' ') + "\n", step, max), "0:1:0;broken");
    }
}

TEST(WatchReader, AStatusWithoutACodeEndsTheWatchToo) {
    EXPECT_EQ(read(line("ERROR", "{}")), "3::0;");
    EXPECT_EQ(read(line("ERROR", R"({"code":99999999999})")), "3::0;");
    EXPECT_EQ(read(line("ERROR", R"({"code":"410"})")), "3::0;");
}

}  // namespace
}  // namespace lab::kubernetes
