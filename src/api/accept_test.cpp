#include "api/accept.h"

#include <gtest/gtest.h>

namespace lab::api {
namespace {

TEST(Accept, TheClosestRangeDecides) {
    const auto json = [](std::string_view accept) { return accepts(accept, "application/json"); };
    for (const char* good :
         {"",
          " ",
          "*/*",
          "*",
          "application/*",
          "application/json",
          "APPLICATION/JSON; q=0.1",
          "text/html, application/json;q=0.5",
          "application/json; charset=utf-8",
          "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
          "application/*;q=0, application/json",
          "text/html;level=1, */*;q=0.001",
          "application/json;q=0, application/json;q=1"}) {
        EXPECT_TRUE(json(good)) << good;
    }
    for (const char* bad :
         {"text/html",
          "text/*",
          "application/json;q=0",
          "application/json;q=0.000, */*",
          "application/*;q=0, */*",
          "application/xml, text/html;q=0.9",
          "*/*;q=0",
          "application/json-seq",
          "text/html,"}) {
        EXPECT_FALSE(json(bad)) << bad;
    }
    for (const char* broken : {"json", "text/html;q=high", "/", "text/", "text/html;q=2"}) {
        EXPECT_TRUE(json(broken)) << "what cannot be read excludes nothing: " << broken;
    }
}

TEST(Accept, RoutesAnswerInTheirOwnTypes) {
    Route route;
    route.answer = "Model";
    EXPECT_TRUE(has_known_types(route));
    EXPECT_FALSE(accepts_any_of("application/x-ndjson", route));
    route.answer = "Page of Model";
    EXPECT_TRUE(accepts_any_of("application/x-ndjson", route));
    EXPECT_FALSE(accepts_any_of("text/html", route));
    route.answer = "Report text/html text/csv";
    EXPECT_TRUE(accepts_any_of("text/html", route));
    EXPECT_TRUE(accepts_any_of("application/json", route));
    route.answer = "text/event-stream";
    EXPECT_FALSE(accepts_any_of("application/json", route));
    EXPECT_TRUE(accepts_any_of("text/event-stream", route));
    for (const char* open : {"", "application/octet-stream"}) {
        route.answer = open;
        EXPECT_FALSE(has_known_types(route)) << open;
    }
    route.answer = "Health";
    route.on_io_thread = true;
    EXPECT_FALSE(has_known_types(route)) << "probes are answered whatever they accept";
}

}  // namespace
}  // namespace lab::api
