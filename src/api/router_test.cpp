#include "api/router.h"

#include <gtest/gtest.h>

namespace lab::api {
namespace {

Route route(std::string_view method, std::string_view path) {
    Route out;
    out.method = method;
    out.path = path;
    out.guard = Guard::open;
    out.handler = [](Call&) -> Result<Reply> { return reply_nothing(); };
    return out;
}

Router make_router() {
    auto router = Router::make({
        route("GET", "/models"),
        route("POST", "/models"),
        route("GET", "/models/{id}"),
        route("GET", "/models/providers"),
        route("DELETE", "/experiments/{id}/runs/{run}"),
    });
    EXPECT_TRUE(router);
    return *std::move(router);
}

constexpr std::string_view kId = "6f1ed002-ab59-4d2c-8f0a-0f6f2e7c1c11";

TEST(Router, FindsRoutesByMethodAndPath) {
    const Router router = make_router();
    EXPECT_EQ(router.find("GET", "/models")->route->path, "/models");
    EXPECT_EQ(router.find("HEAD", "/v1/models")->route->path, "/models");
    EXPECT_EQ(router.find("GET", "/models/providers")->route->path, "/models/providers");
    EXPECT_EQ(router.find("GET", "/mod%65ls")->route->path, "/models");
    const auto one = router.find("GET", "/models/" + std::string(kId));
    ASSERT_TRUE(one);
    EXPECT_EQ(one->path_values, std::vector<std::string>{std::string(kId)});
    const auto two = router.find(
        "DELETE",
        "/experiments/" + std::string(kId) + "/runs/" + "6F1ED002-AB59-4D2C-8F0A-0F6F2E7C1C11"
    );
    ASSERT_TRUE(two);
    EXPECT_EQ(two->path_values[1], kId) << "ids are lower case";
}

TEST(Router, TellsAWrongMethodFromAWrongPath) {
    const Router router = make_router();
    const auto method = router.find("PATCH", "/models");
    ASSERT_TRUE(method);
    EXPECT_EQ(method->route, nullptr);
    EXPECT_EQ(method->allowed, (std::vector<std::string_view>{"GET", "POST"}));
    for (const char* path : {"/", "/nothing", "/models/", "/v1", "/v1/v1/models", "/models//"}) {
        const auto none = router.find("GET", path);
        ASSERT_TRUE(none) << path;
        EXPECT_EQ(none->route, nullptr) << path;
        EXPECT_TRUE(none->allowed.empty()) << path;
    }
}

TEST(Router, RefusesWhatIsNoIdAndWhatCannotBeDecoded) {
    const Router router = make_router();
    for (const char* path :
         {"/models/42",
          "/models/%2e%2e",
          "/models/..",
          "/models/%00",
          "/models/%zz",
          "/models/%f",
          "/models/%ff",
          "/models/a%2Fb",
          "/models/6f1ed002-ab59-4d2c-8f0a-0f6f2e7c1c1"}) {
        const auto found = router.find("GET", path);
        ASSERT_FALSE(found) << path;
        EXPECT_EQ(found.error().code, Code::bad_request) << path;
    }
}

TEST(Router, DoesNotStartWithATableThatIsNotWhole) {
    Route open = route("GET", "/a");
    open.guard = Guard::undeclared;
    EXPECT_FALSE(Router::make({open}));
    Route vague = route("GET", "/a");
    vague.guard = Guard::permission;
    EXPECT_FALSE(Router::make({vague}));
    Route both = route("GET", "/a");
    both.permission = domain::Permission::read_model;
    EXPECT_FALSE(Router::make({both}));
    EXPECT_FALSE(Router::make({route("GET", "/a/{x}"), route("GET", "/a/{y}")}));
    Route idle = route("GET", "/a");
    idle.handler = nullptr;
    EXPECT_FALSE(Router::make({idle}));
}

TEST(Query, IsDecodedOnce) {
    const auto values = parse_query("a=1&b=x+y%2B%26&c&d=%E2%82%AC&&");
    ASSERT_TRUE(values);
    using Pair = std::pair<std::string, std::string>;
    EXPECT_EQ(*values, (std::vector<Pair>{{"a", "1"}, {"b", "x y+&"}, {"c", ""}, {"d", "€"}}));
    for (const char* bad : {"a=1&a=2", "a=%", "a=%1", "%00=1", "a=%C3", "a=\x01"}) {
        EXPECT_FALSE(parse_query(bad)) << bad;
    }
    std::string many;
    for (int i = 0; i < 65; ++i) {
        many += "p" + std::to_string(i) + "=1&";
    }
    EXPECT_FALSE(parse_query(many));
}

}  // namespace
}  // namespace lab::api
