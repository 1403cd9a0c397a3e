#include "platform/telemetry/metrics.h"

#include "platform/telemetry/process_metrics.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <optional>
#include <thread>

namespace lab {
namespace {

/// The value of a line that begins with `series`, or nothing.
std::optional<double> value_of(const std::string& text, const std::string& series) {
    const std::size_t at = ("\n" + text).find("\n" + series + " ");
    return at == std::string::npos ? std::nullopt
                                   : std::optional(std::stod(text.substr(at + series.size() + 1)));
}

TEST(Metrics, AreWrittenInTheTextFormat) {
    Metrics metrics;
    auto& requests = metrics.counters(
        "http_requests_total", "Requests\nserved, \\ by route.", {"method", "path", "status"}
    );
    requests.with({"GET", "/experiments/{id}", "200"}).add();
    requests.with({"GET", "/experiments/{id}", "200"}).add(2);
    requests.with({"POST", "/a\"b\\c\nd", "500"});
    metrics.gauge("circuit_breaker_state", "0, 1 or 2.").set(-1.5);
    Histogram& duration = metrics.histogram("duration_seconds", "How long.", {0.1, 0.5, 1});
    for (const double seconds : {0.05, 0.1, 0.4, 0.5, 2.0}) {
        duration.observe(seconds);
    }
    EXPECT_EQ(
        metrics.text(),
        "# HELP circuit_breaker_state 0, 1 or 2.\n"
        "# TYPE circuit_breaker_state gauge\n"
        "circuit_breaker_state -1.5\n"
        "# HELP duration_seconds How long.\n"
        "# TYPE duration_seconds histogram\n"
        "duration_seconds_count 5\n"
        "duration_seconds_sum 3.05\n"
        "duration_seconds_bucket{le=\"0.1\"} 2\n"
        "duration_seconds_bucket{le=\"0.5\"} 4\n"
        "duration_seconds_bucket{le=\"1\"} 4\n"
        "duration_seconds_bucket{le=\"+Inf\"} 5\n"
        "# HELP http_requests_total Requests\\nserved, \\\\ by route.\n"
        "# TYPE http_requests_total counter\n"
        "http_requests_total{method=\"GET\",path=\"/experiments/{id}\",status=\"200\"} 3\n"
        "http_requests_total{method=\"POST\",path=\"/a\\\"b\\\\c\\nd\",status=\"500\"} 0\n"
    );
}

TEST(Metrics, OfOneNameAreTheSame) {
    Metrics metrics;
    Counter& first = metrics.counter("a_total", "A.");
    EXPECT_EQ(&first, &metrics.counter("a_total", "A."));
    auto& family = metrics.counters("b_total", "B.", {"x", "y"});
    EXPECT_EQ(&family, &metrics.counters("b_total", "B.", {"x", "y"}));
    Counter& series = family.with({"1", "2"});
    EXPECT_EQ(&series, &family.with({"1", "2"}));
    EXPECT_NE(&series, &family.with({"2", "1"}));
    EXPECT_NE(&family.with({"ab", "c"}), &family.with({"a", "bc"}));
}

TEST(Metrics, AFamilyHasABoundAndFoldsTheRest) {
    Metrics metrics;
    auto& family = metrics.counters("llm_requests_total", "Calls.", {"provider", "model"}, 3);
    Counter& known = family.with({"openai", "0"});
    for (int i = 0; i < 1'000; ++i) {
        family.with({"openai", std::to_string(i)}).add();
    }
    EXPECT_EQ(&family.with({"openai", "0"}), &known);
    EXPECT_EQ(known.value(), 1);
    EXPECT_EQ(family.with({"openai", "12"}).value(), 997);
    EXPECT_EQ(&family.with({"openai", "12"}), &family.with({"other", "other"}));
    const std::string text = metrics.text();
    EXPECT_EQ(value_of(text, R"(llm_requests_total{model="other",provider="other"})"), 997);
    EXPECT_EQ(value_of(text, R"(llm_requests_total{model="3",provider="openai"})"), std::nullopt);
    EXPECT_EQ(
        value_of(text, R"(metrics_series_folded_total{family="llm_requests_total"})"), 997 + 2
    );
}

TEST(Metrics, LabelValuesAreShortAndValid) {
    Metrics metrics;
    auto& family = metrics.gauges("x", "X.", {"l"});
    family.with({"\xff\xfe"}).set(1);
    family.with({std::string(10'000, 'y')}).set(2);
    const std::string text = metrics.text();
    EXPECT_EQ(value_of(text, "x{l=\"\xef\xbf\xbd\xef\xbf\xbd\"}"), 1);
    EXPECT_EQ(value_of(text, "x{l=\"" + std::string(125, 'y') + "...\"}"), 2);
}

TEST(Metrics, WhatIsNoNumberPoisonsNothing) {
    Metrics metrics;
    Counter& counter = metrics.counter("c_total", "C.");
    Histogram& histogram = metrics.histogram("h", "H.", {1});
    for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity(), -1.0}) {
        counter.add(bad);
    }
    histogram.observe(std::nan(""));
    histogram.observe(std::numeric_limits<double>::infinity());
    histogram.observe(-1);
    counter.add(2);
    EXPECT_EQ(counter.value(), 2);
    EXPECT_EQ(value_of(metrics.text(), "h_count"), 1);
    EXPECT_EQ(value_of(metrics.text(), "h_sum"), -1);
}

TEST(Metrics, GaugesCanBeMeasuredWhenRead) {
    Metrics metrics;
    int calls = 0;
    metrics.on_collect([&] { metrics.gauge("depth", "D.").set(++calls); });
    EXPECT_EQ(value_of(metrics.text(), "depth"), 1);
    EXPECT_EQ(value_of(metrics.text(), "depth"), 2);
}

TEST(Metrics, WithoutSeriesAreNotMentioned) {
    Metrics metrics;
    metrics.counters("empty_total", "E.", {"l"});
    EXPECT_EQ(metrics.text(), "");
}

TEST(Metrics, ManyThreadsCountWithoutLoss) {
    Metrics metrics;
    Counter& counter = metrics.counter("c_total", "C.");
    Gauge& gauge = metrics.gauge("g", "G.");
    Histogram& histogram = metrics.histogram("h", "H.", {0.5, 1});
    auto& family = metrics.counters("f_total", "F.", {"l"}, 8);
    constexpr int kThreads = 4;
    constexpr int kRounds = 5'000;
    {
        std::vector<std::jthread> threads;
        for (int t = 0; t < kThreads; ++t) {
            threads.emplace_back([&, t] {
                for (int i = 0; i < kRounds; ++i) {
                    counter.add();
                    gauge.add();
                    gauge.subtract();
                    histogram.observe(1);
                    if (i % 50 == 0) {
                        family.with({std::to_string((i + t) % 16)}).add();
                    }
                    if (i % 1'000 == 0) {
                        EXPECT_FALSE(metrics.text().empty());
                    }
                }
            });
        }
    }
    EXPECT_EQ(counter.value(), kThreads * kRounds);
    EXPECT_EQ(gauge.value(), 0);
    EXPECT_EQ(value_of(metrics.text(), "h_bucket{le=\"1\"}"), kThreads * kRounds);
    double sum = family.with({"other"}).value();
    for (int i = 0; i < 16; ++i) {
        Counter& one = family.with({std::to_string(i)});
        sum += &one == &family.with({"other"}) ? 0 : one.value();
    }
    EXPECT_EQ(sum, kThreads * kRounds / 50);
}

using MetricsDeathTest = testing::Test;

TEST(MetricsDeathTest, WrongUseIsABug) {
    testing::FLAGS_gtest_death_test_style = "threadsafe";
    EXPECT_DEATH(Metrics().counter("1a", "A."), "name of the data model");
    EXPECT_DEATH(Metrics().counters("a", "A.", {"le"}), "name of the data model");
    EXPECT_DEATH(Metrics().counters("a", "A.", {"x", "x"}), "named once");
    EXPECT_DEATH(Metrics().counters("a", "A.", {"x"}).with({}), "has a value");
    EXPECT_DEATH(Metrics().histogram("a", "A.", {1, 1}), "ascend");
    EXPECT_DEATH(
        {
            Metrics metrics;
            metrics.counter("a", "A.");
            metrics.gauge("a", "A.");
        },
        "of one kind"
    );
}

// --- The process ---------------------------------------------------------------------------------

TEST(ProcessMetrics, AreThoseOfThisProcess) {
    Metrics metrics;
    add_process_metrics(metrics, {.version = "1.2.3", .revision = "abc"});
    const std::string text = metrics.text();
    EXPECT_EQ(value_of(text, R"(build_info{revision="abc",version="1.2.3"})"), 1);
    const auto now =
        std::chrono::duration<double>(
            std::chrono::file_clock::to_sys(std::chrono::file_clock::now()).time_since_epoch()
        )
            .count();
    EXPECT_NEAR(*value_of(text, "process_start_time_seconds"), now, 3'600);
    EXPECT_LE(*value_of(text, "process_start_time_seconds"), now + 1);
    EXPECT_GT(*value_of(text, "process_resident_memory_bytes"), 1e6);
    EXPECT_LT(
        *value_of(text, "process_resident_memory_bytes"),
        *value_of(text, "process_virtual_memory_bytes")
    );
    EXPECT_GE(*value_of(text, "process_threads"), 1);
    EXPECT_GT(*value_of(text, "process_max_fds"), *value_of(text, "process_open_fds"));
}

TEST(ProcessMetrics, CountOpenFiles) {
    Metrics metrics;
    add_process_metrics(metrics, {});
    const double before = *value_of(metrics.text(), "process_open_fds");
    const int one = dup(STDERR_FILENO);
    const int two = dup(STDERR_FILENO);
    EXPECT_EQ(*value_of(metrics.text(), "process_open_fds"), before + 2);
    close(one);
    close(two);
    EXPECT_EQ(*value_of(metrics.text(), "process_open_fds"), before);
}

TEST(ProcessMetrics, ProcessorTimeOnlyGrows) {
    Metrics metrics;
    add_process_metrics(metrics, {});
    const double before = *value_of(metrics.text(), "process_cpu_seconds_total");
    const std::clock_t start = std::clock();
    while (std::clock() - start < CLOCKS_PER_SEC / 20) {
    }
    const double after = *value_of(metrics.text(), "process_cpu_seconds_total");
    EXPECT_GE(after, before + 0.04);
    EXPECT_LT(after, before + 10);
}

TEST(Metrics, ASnapshotHasTheValuesOfTheText) {
    Metrics metrics;
    metrics.counters("requests_total", "Requests", {"path"}).with({"/a"}).add(3);
    Gauge& gauge = metrics.gauge("running", "Now");
    metrics.on_collect([&gauge] { gauge.set(2.5); });
    Histogram& seconds = metrics.histogram("seconds", "Took", {0.1, 1});
    for (const double value : {0.05, 0.5, 0.6, 7.0}) {
        seconds.observe(value);
    }
    const MetricsSnapshot shown = metrics.snapshot();
    const auto find = [&](std::string_view name) {
        return *std::ranges::find(shown, name, &MetricShown::name);
    };
    const MetricShown requests = find("requests_total");
    EXPECT_EQ(requests.kind, MetricShown::Kind::counter);
    EXPECT_EQ(requests.help, "Requests");
    ASSERT_EQ(requests.points.size(), 1U);
    EXPECT_EQ(requests.points[0].value, 3);
    EXPECT_EQ(
        requests.points[0].labels,
        (std::vector<std::pair<std::string, std::string>>{{"path", "/a"}})
    );
    EXPECT_EQ(find("running").kind, MetricShown::Kind::gauge);
    EXPECT_EQ(find("running").points[0].value, 2.5);
    const MetricShown took = find("seconds");
    EXPECT_EQ(took.kind, MetricShown::Kind::histogram);
    EXPECT_EQ(took.bounds, (std::vector<double>{0.1, 1}));
    EXPECT_EQ(took.points[0].buckets, (std::vector<std::uint64_t>{1, 2, 1}));
    EXPECT_EQ(took.points[0].count, 4U);
    EXPECT_DOUBLE_EQ(took.points[0].sum, 8.15);
}

}  // namespace
}  // namespace lab
