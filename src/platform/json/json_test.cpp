#include "platform/json/json.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <limits>

namespace lab {
namespace {

TEST(Json, DoublesReadBackExactly) {
    for (const char* text :
         {"0.1", "1e-300", "123456789.12345678", "-0.0", "1.7976931348623157e308"}) {
        const Json value = parse_json(text).value();
        EXPECT_EQ(parse_json(dump_json(value)).value(), value) << text;
    }
}

TEST(Json, RefusesWhatIsNotStrict) {
    for (const char* text :
         {"",
          "{",
          "[1,]",
          "{\"a\":1,}",
          "NaN",
          "01",
          ".5",
          "\xef\xbb\xbf{}x",
          "[1] [2]",
          "\"\xff\"",
          "{\"a\":1,\"a\":2}",
          "{'a':1}"}) {
        EXPECT_FALSE(parse_json(text)) << text;
    }
}

TEST(Json, AZeroByteDoesNotEndTheText) {
    using namespace std::string_view_literals;
    for (const std::string_view text : {"1\0"sv, "{}\0 x"sv, "[1,\n\0]"sv, "\"a\0b\""sv, "\0"sv}) {
        EXPECT_FALSE(parse_json(text)) << text;
    }
    EXPECT_EQ(parse_json("[1,\n\0]"sv).error().message, "not JSON: a zero byte (line 2, column 1)");
    EXPECT_EQ(parse_json(R"("a\u0000b")").value(), Json("a\0b"sv));
}

TEST(Json, SaysWhere) {
    const auto result = parse_json("{\n  \"a\": tru\n}");
    ASSERT_FALSE(result);
    EXPECT_NE(result.error().message.find("line 2"), std::string::npos) << result.error().message;
}

TEST(Json, EnforcesItsLimits) {
    EXPECT_TRUE(parse_json(std::string(64, '[') + std::string(64, ']')));
    EXPECT_EQ(
        parse_json(std::string(65, '[') + std::string(65, ']')).error().code,
        Code::payload_too_large
    );
    EXPECT_EQ(parse_json("[1,2]", {.bytes_max = 3}).error().code, Code::payload_too_large);
    EXPECT_EQ(
        parse_json(R"({"a":1,"b":2})", {.keys_max = 1}).error().code, Code::payload_too_large
    );
}

TEST(Json, CanonicalTextDoesNotDependOnTheOrderOfMembers) {
    const Json a = parse_json(R"({"b": [1, 1.0, "x\n"], "a": {"d": null, "c": true}})").value();
    const Json b = parse_json(R"({"a":{"c":true,"d":null},"b":[1,1.0,"x\u000a"]})").value();
    EXPECT_EQ(canonical_json(a), canonical_json(b));
    EXPECT_EQ(canonical_json(a), R"({"a":{"c":true,"d":null},"b":[1,1.0,"x\n"]})");
}

TEST(Json, IsWrittenAsThePackageWritesIt) {
    const Json values[] = {
        Json(),
        Json::object(),
        Json::array(),
        Json{{"a", 1}, {"b", {true, false, nullptr}}, {"c", {{"d", "e"}}}},
        Json("tab\t quote\" back\\ line\n bell\b feed\f one\x01 del\x7f"),
        Json("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80"),
        Json("broken \xc3\x28 \xff"),
        Json{{"key \"\n\xff", 1}},
        Json(std::numeric_limits<std::int64_t>::min()),
        Json(std::numeric_limits<std::uint64_t>::max()),
        Json(0.1),
        Json(1.0),
        Json(-0.0),
        Json(1e300),
        Json(std::numeric_limits<double>::infinity()),
    };
    for (const Json& value : values) {
        EXPECT_EQ(dump_json(value), value.dump(-1, ' ', false, Json::error_handler_t::replace));
    }
}

TEST(Json, ReplacesInvalidUtf8WhenWriting) {
    EXPECT_EQ(dump_json(Json("a\xff")), "\"a\ufffd\"");
    std::string out;
    append_json_string(out, "a\xff\x01\"");
    EXPECT_EQ(out, "\"a\ufffd\\u0001\\\"\"");
}

TEST(Json, AnObjectWithRoomIsAnObject) {
    Json made = json_object(3);
    EXPECT_EQ(dump_json(made), "{}");
    made["b"] = 1;
    made["a"] = 2;
    EXPECT_EQ(dump_json(made), R"({"b":1,"a":2})");
}

}  // namespace
}  // namespace lab
