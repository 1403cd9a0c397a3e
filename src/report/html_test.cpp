#include "report/html.h"

#include "base/text.h"
#include "platform/crypto/sha256.h"
#include "platform/json/json.h"
#include "report/impl/test_demo.h"
#include "report/impl/test_markup.h"
#include "report/plots.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <chrono>

namespace lab::report {
namespace {

std::string html_of(const Demo& demo, const HtmlOptions& options = {}) {
    const DemoItems items(demo.rows);
    return rendered([&](const Sink& sink) { return write_html(demo.report, &items, options, sink); }
    );
}

/// Contents of the elements that begin so.
std::vector<std::string> elements(const std::string& html, const std::string& start) {
    std::vector<std::string> out;
    const std::string name = start.substr(1, start.find_first_of(" >") - 1);
    for (std::size_t at = 0; (at = html.find(start, at)) != std::string::npos;) {
        const std::size_t begin = html.find('>', at) + 1;
        at = html.find("</" + name, begin);
        out.push_back(html.substr(begin, at - begin));
    }
    return out;
}

std::vector<Json> blocks(const std::string& html, const std::string& css_class) {
    std::vector<Json> out;
    for (const std::string& text :
         elements(html, "<script type=\"application/json\" class=\"" + css_class + "\"")) {
        auto json = parse_json(text);
        EXPECT_TRUE(json) << (json ? "" : json.error().message);
        out.push_back(*std::move(json));
    }
    return out;
}

std::string from_base64(std::string_view text) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    std::uint32_t bits = 0;
    int have = 0;
    for (const char c : text) {
        const std::size_t digit = kDigits.find(c);
        if (digit == std::string_view::npos) {
            break;
        }
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        have += 6;
        if (have >= 8) {
            have -= 8;
            out += static_cast<char>(bits >> have & 0xFF);
        }
    }
    return out;
}

/// What the policy allows for "script-src" or "style-src".
std::string allowed_hash(const std::string& html, const std::string& directive) {
    const std::string start = directive + " 'sha256-";
    const std::size_t at = html.find(start) + start.size();
    return from_base64(html.substr(at, html.find('\'', at) - at));
}

TEST(Html, IsWellFormedForEveryReport) {
    for (const auto& make : {demo_gsm8k, demo_bbh, demo_live, demo_nothing, demo_empty}) {
        EXPECT_EQ(markup_problem(html_of(make())), "");
    }
    EXPECT_EQ(markup_problem(html_of(demo_wmt(60))), "");
}

TEST(Html, NotesStandBesideTheTableAndAreNotFoldedAway) {
    Demo demo = demo_gsm8k();
    demo.report.comparisons[1].comparison.notes = {"the interval is rough"};
    const std::string html = html_of(demo);
    const std::size_t at = html.find("6b_finetuning: the interval is rough</li>");
    ASSERT_NE(at, std::string::npos);
    const std::size_t opened = html.rfind("<details", at);
    EXPECT_TRUE(opened == std::string::npos || html.rfind("</details>", at) > opened);
}

TEST(Html, TokensAreCalledEstimatedAsFarAsTheyAre) {
    Demo demo = demo_live();
    demo.report.totals.counted = 100;
    demo.report.totals.estimated = 100;
    EXPECT_NE(html_of(demo).find("<small>all estimated</small>"), std::string::npos);
    demo.report.totals.estimated = 1;
    EXPECT_NE(html_of(demo).find("<small>partly estimated</small>"), std::string::npos);
    demo.report.totals.estimated = 0;
    EXPECT_EQ(html_of(demo).find("estimated</small>"), std::string::npos);
}

TEST(Html, LoadsNothingAndRunsOnlyItsOwnScript) {
    const std::string html = html_of(demo_live());
    const std::vector<std::string> scripts = elements(html, "<script>");
    const std::vector<std::string> styles = elements(html, "<style>");
    ASSERT_EQ(scripts.size(), 1U);
    ASSERT_EQ(styles.size(), 1U);
    EXPECT_EQ(allowed_hash(html, "script-src"), sha256(scripts[0]));
    EXPECT_EQ(allowed_hash(html, "style-src"), sha256(styles[0]));
    EXPECT_NE(html.find("default-src 'none'"), std::string::npos);
    for (const char* forbidden :
         {" style=\"",
          " src=\"",
          "@import",
          "url(",
          " onclick",
          "innerHTML",
          "eval(",
          "<link",
          "http://",
          "https://"}) {
        EXPECT_EQ(html.find(forbidden), std::string::npos) << forbidden;
    }
}

TEST(Html, HostileTextStaysText) {
    const std::string html = html_of(demo_hostile());
    EXPECT_EQ(markup_problem(html), "");
    EXPECT_EQ(html.find("<script>alert"), std::string::npos);
    EXPECT_EQ(html.find("<img"), std::string::npos);
    EXPECT_EQ(html.find("<!--"), std::string::npos);
    EXPECT_EQ(html.find('\x1b'), std::string::npos);
    EXPECT_EQ(elements(html, "<script>").size(), 1U);
    EXPECT_EQ(blocks(html, "dx")[0][0][2][0][0][0], sanitize_utf8(kHostile));
    EXPECT_EQ(blocks(html, "ix")[0][0][0], sanitize_utf8(kHostile));
}

TEST(Html, EmbedsEveryItemWithFlagsAndScores) {
    const Demo demo = demo_gsm8k();
    const std::string html = html_of(demo);
    std::size_t rows = 0;
    int right = 0;
    for (const Json& block : blocks(html, "ix")) {
        rows += block.size();
        for (const Json& row : block) {
            ASSERT_EQ(row.size(), 1 + 4 * 2U);
            right += row[8] == 1 ? 1 : 0;
        }
    }
    EXPECT_EQ(rows, 1319U);
    EXPECT_EQ(right, 742);
    const std::vector<Json> data = blocks(html, "dx");
    EXPECT_EQ(data.size(), 14U);
    EXPECT_EQ(data[0][0][1], "18");
    EXPECT_EQ(data[0][0][2][3][0][2][0], "18");
}

TEST(Html, MarksWhatIsMissingUnparsedAndTruncated) {
    const Demo demo = demo_live();
    std::int64_t flagged[5] = {};
    for (const Json& block : blocks(html_of(demo), "dx")) {
        for (const Json& item : block) {
            for (const Json& repetitions : item[2]) {
                for (const Json& sample : repetitions) {
                    for (int bit = 0; bit < 5; ++bit) {
                        flagged[bit] += sample[1].get<int>() >> bit & 1;
                    }
                }
            }
        }
    }
    EXPECT_EQ(flagged[0] + flagged[1], demo.report.totals.missing);
    EXPECT_EQ(flagged[1], demo.report.totals.failed);
    EXPECT_EQ(flagged[2], demo.report.totals.unparsed);
    std::int64_t truncated = 0;
    for (const VariantSummary& variant : demo.report.variants) {
        truncated += variant.truncated;
    }
    EXPECT_EQ(flagged[3], truncated);
}

TEST(Html, TakesTheFirstItemsAndSaysSo) {
    const std::string html = html_of(demo_gsm8k(), {.items_max = 250});
    std::size_t rows = 0;
    for (const Json& block : blocks(html, "ix")) {
        rows += block.size();
    }
    EXPECT_EQ(rows, 250U);
    EXPECT_NE(html.find("The first 250 of 1,319 items"), std::string::npos);
    EXPECT_EQ(markup_problem(html), "");
}

TEST(Html, FortyThousandOutputsAreQuickAndSmall) {
    const Demo demo = demo_large(10'000);
    std::size_t outputs = 0;
    for (const ItemRow& row : demo.rows) {
        for (const std::vector<ItemSample>& samples : row.samples) {
            outputs += samples[0].output.size();
        }
    }
    std::size_t largest = 0;
    std::size_t size = 0;
    const DemoItems items(demo.rows);
    const auto begin = std::chrono::steady_clock::now();
    const Status status = write_html(demo.report, &items, {}, [&](std::string_view piece) {
        largest = std::max(largest, piece.size());
        size += piece.size();
        return ok();
    });
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    ASSERT_TRUE(status);
    RecordProperty("bytes", std::to_string(size));
    RecordProperty("seconds", std::to_string(took.count()));
    EXPECT_LT(static_cast<double>(size), 1.25 * static_cast<double>(outputs) + 200'000);
    EXPECT_LT(largest, 1U << 20) << "it is streamed";
}

TEST(Html, AnErrorOfTheItemsIsHandedOn) {
    struct Broken final : ItemSource {
        std::int64_t count() const override { return 3; }
        Status each(const std::function<Status(const ItemRow&)>&) const override {
            return Error(Code::io, "the store is gone");
        }
    };
    const Demo demo = demo_nothing();
    const Broken items;
    const Status status =
        write_html(demo.report, &items, {}, [](std::string_view) { return ok(); });
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().message, "the store is gone");
}

TEST(Plots, TheParetoFrontHasWhatNobodyBeats) {
    Report report;
    report.metrics.resize(1);
    const struct {
        const char* cost;
        double value;
    } points[] = {{"1", 0.5}, {"2", 0.4}, {"3", 0.7}, {"3", 0.6}, {"9", 0.7}, {"0.5", 0.1}};
    for (const auto& point : points) {
        VariantSummary variant;
        variant.cost = Money::parse(point.cost).value();
        variant.metrics.emplace_back();
        variant.metrics[0].value = point.value;
        report.variants.push_back(variant);
    }
    EXPECT_EQ(price_of(report), Price::money);
    EXPECT_EQ(pareto_front(report, 0, Price::money), (std::vector<std::size_t>{5, 0, 2}));
    report.metrics[0].info.higher_is_better = false;
    EXPECT_EQ(pareto_front(report, 0, Price::money), (std::vector<std::size_t>{5}));
}

TEST(Plots, CostIsHiddenWhenNothingIsKnown) {
    Report report = demo_nothing().report;
    EXPECT_EQ(price_of(report), Price::none);
    EXPECT_EQ(cost_plot(report, 0, 900), "");
    report.variants[0].cost = report.variants[1].cost = Money{};
    EXPECT_EQ(price_of(report), Price::none) << "all zero says nothing";
    report.variants[0].usage.input = 5;
    report.variants[1].usage.input = 7;
    EXPECT_EQ(price_of(report), Price::tokens);
    report.variants[0].usage.estimated = report.variants[1].usage.estimated = true;
    EXPECT_EQ(price_of(report), Price::none) << "the length of recorded outputs is no price";
    EXPECT_EQ(interval_plot(report, 0, 900), "");
    EXPECT_EQ(latency_plot(report, 900), "");
}

Report two_prices(const std::vector<double>& values, const std::vector<std::string>& costs) {
    Report report;
    report.metrics.resize(1);
    report.metrics[0].info = {.name = "quality"};
    for (std::size_t i = 0; i < values.size(); ++i) {
        VariantSummary variant;
        variant.id = "variant-with-a-long-name-" + std::to_string(i);
        variant.cost = Money::parse(costs[i]).value();
        variant.metrics.emplace_back();
        variant.metrics[0].value = values[i];
        report.variants.push_back(variant);
    }
    return report;
}

std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) {
        ++count;
    }
    return count;
}

TEST(Plots, EveryDotHasItsNameOrAllHaveNumbers) {
    const Report apart = two_prices({0.2, 0.5, 0.9}, {"1", "2", "4"});
    EXPECT_FALSE(cost_plot_is_numbered(apart, 0, 1090));
    EXPECT_EQ(count_of(cost_plot(apart, 0, 1090), ">variant-with-a-long-name-"), 6)
        << "as a title and as a label each";
    EXPECT_TRUE(cost_plot_is_numbered(apart, 0, 340));
    // Names of dots that stand as close as these would be taken for each other's.
    const Report together =
        two_prices({0.51, 0.5, 0.52, 0.515, 0.9}, {"1", "1.01", "1.02", "1.03", "4"});
    EXPECT_TRUE(cost_plot_is_numbered(together, 0, 1090));
    const std::string svg = cost_plot(together, 0, 1090);
    for (const char* const number :
         {">1</text>", ">2</text>", ">3</text>", ">4</text>", ">5</text>"}) {
        EXPECT_GE(count_of(svg, number), 1) << number;
    }
}

TEST(Plots, StayInsideTheirPicture) {
    const Demo demo = demo_live();
    std::vector<const ComparisonRow*> rows;
    for (const ComparisonRow& row : demo.report.comparisons) {
        if (row.metric == 0) {
            rows.push_back(&row);
        }
    }
    for (const double width : {340.0, 1090.0}) {
        for (const std::string& svg :
             {interval_plot(demo.report, 0, width),
              comparison_plot(demo.report, rows, width),
              cost_plot(demo.report, 0, width),
              latency_plot(demo.report, width),
              score_plot(demo.report, 1, width)}) {
            EXPECT_EQ(markup_problem(svg), "");
            for (const std::string attribute : {" x=\"", " cx=\"", " x1=\"", " x2=\""}) {
                for (std::size_t at = 0; (at = svg.find(attribute, at)) != std::string::npos;) {
                    at += attribute.size();
                    const double x = std::stod(svg.substr(at));
                    EXPECT_GE(x, 0) << svg;
                    EXPECT_LE(x, width) << svg;
                }
            }
        }
    }
    EXPECT_EQ(score_plot(demo.report, 0, 900), "") << "right and wrong have no distribution";
}

}  // namespace
}  // namespace lab::report
