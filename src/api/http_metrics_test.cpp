#include "api/http_metrics.h"

#include "support/manual_clock.h"

#include <gmock/gmock.h>

namespace lab::api {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(RequestRate, IsThatOfTheLastWholeSeconds) {
    RequestRate rate;
    TimePoint now(1000s);
    EXPECT_EQ(rate.per_second(now), 0);
    for (int second = 0; second < 30; ++second, now += 1s) {
        for (int i = 0; i < 50; ++i) {
            rate.count(now + 10ms);
        }
    }
    EXPECT_DOUBLE_EQ(rate.per_second(now), 50);
    EXPECT_DOUBLE_EQ(rate.per_second(now + 4s), 30);
    EXPECT_DOUBLE_EQ(rate.per_second(now + 10s), 0);
    rate.count(now + 1h);
    EXPECT_DOUBLE_EQ(rate.per_second(now + 1h), 0) << "a second that is not over";
    EXPECT_DOUBLE_EQ(rate.per_second(now + 1h + 1s), 0.1);
}

std::vector<Route> two_routes() {
    Route list;
    list.method = "GET";
    list.path = "/things";
    Route probe;
    probe.method = "GET";
    probe.path = "/health";
    probe.limit = LimitClass::exempt;
    return {list, probe};
}

TEST(HttpMetrics, HaveTheirSeriesBeforeTheFirstRequest) {
    const test::ManualClock clock;
    Metrics metrics;
    const std::vector<Route> routes = two_routes();
    const HttpMetrics http(clock, metrics, routes);
    const std::string text = metrics.text();
    for (const char* status : {"200", "400", "500"}) {
        EXPECT_THAT(
            text,
            HasSubstr(
                "http_requests_total{method=\"GET\",path=\"/things\",status=\"" +
                std::string(status) + "\"} 0"
            )
        );
    }
    EXPECT_THAT(text, HasSubstr("path=\"unmatched\""));
}

TEST(HttpMetrics, CountByRouteAndNotByWhatWasAskedFor) {
    test::ManualClock clock;
    Metrics metrics;
    const std::vector<Route> routes = two_routes();
    HttpMetrics http(clock, metrics, routes);
    http.observe({.route = &routes[0], .method = "HEAD", .status = 200, .bytes_out = 10});
    http.observe({.route = &routes[1], .method = "GET", .status = 204});
    http.observe({.route = nullptr, .method = "GET", .status = 404});
    clock.advance(1s);
    EXPECT_DOUBLE_EQ(http.per_second(), 0.2) << "without the probe";
    const std::string text = metrics.text();
    EXPECT_THAT(
        text, HasSubstr("http_requests_total{method=\"GET\",path=\"/things\",status=\"200\"} 1")
    );
    EXPECT_THAT(
        text, HasSubstr("http_requests_total{method=\"GET\",path=\"/health\",status=\"204\"} 1")
    );
    EXPECT_THAT(
        text, HasSubstr("http_requests_total{method=\"other\",path=\"unmatched\",status=\"404\"} 1")
    );
}

}  // namespace
}  // namespace lab::api
