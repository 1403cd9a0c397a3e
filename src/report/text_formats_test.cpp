#include "base/text.h"
#include "report/csv.h"
#include "report/impl/test_demo.h"
#include "report/impl/test_markup.h"
#include "report/junit.h"
#include "report/markdown.h"
#include "report/write.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace lab::report {
namespace {

/// RFC 4180.
std::vector<std::vector<std::string>> read_csv(std::string_view text) {
    std::vector<std::vector<std::string>> out(1, std::vector<std::string>(1));
    bool quoted = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::string& cell = out.back().back();
        if (quoted) {
            if (text[i] == '"' && text.substr(i + 1).starts_with('"')) {
                cell += text[i++];
            } else if (text[i] == '"') {
                quoted = false;
            } else {
                cell += text[i];
            }
        } else if (text[i] == '"') {
            EXPECT_TRUE(cell.empty());
            quoted = true;
        } else if (text[i] == ',') {
            out.back().emplace_back();
        } else if (text.substr(i).starts_with("\r\n")) {
            out.emplace_back(1);
            ++i;
        } else {
            EXPECT_NE(text[i], '\n');
            cell += text[i];
        }
    }
    EXPECT_EQ(out.back(), std::vector<std::string>{""});
    out.pop_back();
    return out;
}

std::string csv_of(const Demo& demo) {
    return rendered([&](const Sink& sink) { return write_csv(demo.report, sink); });
}
std::string items_csv_of(const Demo& demo) {
    const DemoItems items(demo.rows);
    return rendered([&](const Sink& sink) { return write_items_csv(demo.report, items, sink); });
}
std::string markdown_of(const Demo& demo) {
    return rendered([&](const Sink& sink) { return write_markdown(demo.report, sink); });
}
std::string junit_of(const Demo& demo) {
    return rendered([&](const Sink& sink) { return write_junit(demo.report, sink); });
}
std::size_t count(std::string_view text, std::string_view part) {
    std::size_t out = 0;
    for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; ++at) {
        ++out;
    }
    return out;
}

TEST(Csv, HasALineForEachVariantAndMetric) {
    const auto rows = read_csv(csv_of(demo_live()));
    ASSERT_EQ(rows.size(), 17U);
    for (const std::vector<std::string>& row : rows) {
        EXPECT_EQ(row.size(), rows[0].size());
    }
    const auto column = [&](std::string_view name) {
        return static_cast<std::size_t>(std::ranges::find(rows[0], name) - rows[0].begin());
    };
    EXPECT_EQ(rows[1][column("variant")], "small-8b/short");
    EXPECT_EQ(rows[1][column("metric")], "accuracy");
    EXPECT_EQ(rows[1][column("baseline")], "true");
    EXPECT_EQ(rows[1][column("parameters")], R"({"temperature":0.7,"max_tokens":256})");
    EXPECT_EQ(rows[1][column("planned")], "800");
}

TEST(Csv, HasALineForEachComparison) {
    Demo demo = demo_gsm8k();
    demo.report.comparisons[2].comparison.notes = {"one", "two"};
    const auto rows = read_csv(rendered([&](const Sink& sink) {
        return write_comparisons_csv(demo.report, sink);
    }));
    ASSERT_EQ(rows.size(), 1 + demo.report.comparisons.size());
    const auto cell = [&](std::size_t row, std::string_view name) {
        const auto at = std::ranges::find(rows[0], name);
        EXPECT_NE(at, rows[0].end()) << name;
        return rows[row].at(static_cast<std::size_t>(at - rows[0].begin()));
    };
    for (const std::vector<std::string>& row : rows) {
        EXPECT_EQ(row.size(), rows[0].size());
    }
    EXPECT_EQ(cell(6, "variant"), "175b_verification");
    EXPECT_EQ(cell(6, "against"), "175b_finetuning");
    EXPECT_EQ(cell(6, "only_variant"), "360");
    EXPECT_EQ(cell(6, "only_against"), "76");
    EXPECT_EQ(cell(6, "verdict"), "better");
    EXPECT_EQ(cell(6, "correction"), "Holm");
    EXPECT_EQ(cell(6, "needed_of"), "items");
    EXPECT_EQ(cell(3, "notes"), "one; two");
    EXPECT_EQ(
        cell(6, "difference"), format_double(demo.report.comparisons[5].comparison.difference)
    );
}

TEST(Csv, HasALineForEachSample) {
    const Demo demo = demo_live();
    const auto rows = read_csv(items_csv_of(demo));
    ASSERT_EQ(rows.size(), 1 + 400U * 8 * 2);
    for (const std::vector<std::string>& row : rows) {
        ASSERT_EQ(row.size(), rows[0].size());
    }
    EXPECT_EQ(
        std::ranges::count(rows, "not_run", [](const auto& row) { return row[4]; }) +
            std::ranges::count(rows, "failed", [](const auto& row) { return row[4]; }),
        demo.report.totals.missing
    );
}

TEST(Csv, TextCannotBecomeAFormula) {
    Demo demo = demo_nothing();
    const char* const formulas[] = {"=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"};
    for (const char* formula : formulas) {
        demo.report.variants[0].id = formula;
        EXPECT_EQ(read_csv(csv_of(demo))[1][0], "'" + std::string(formula));
    }
    demo.report.variants[0].id = "a";
    demo.report.variants[0].metrics[0].value = -0.25;
    EXPECT_NE(csv_of(demo).find(",-0.25,"), std::string::npos) << "numbers are left alone";
}

TEST(Csv, HostileTextStaysInItsCell) {
    const Demo demo = demo_hostile();
    const auto rows = read_csv(items_csv_of(demo));
    ASSERT_EQ(rows.size(), 3U);
    EXPECT_EQ(rows[1].size(), rows[0].size());
    EXPECT_EQ(rows[1][0], std::string(kHostile));
    EXPECT_EQ(read_csv(csv_of(demo)).size(), 3U);
}

TEST(Csv, NaNIsAnEmptyCell) {
    EXPECT_NE(csv_of(demo_nothing()).find("accuracy,true,,,,"), std::string::npos);
    EXPECT_EQ(read_csv(csv_of(demo_empty())).size(), 1U);
}

TEST(Markdown, SaysTheAnswerFirstAndKeepsItsTables) {
    const std::string text = markdown_of(demo_live());
    EXPECT_LT(text.find("large-pro"), text.find("### Variants"));
    EXPECT_NE(text.find("❌ A gate failed"), std::string::npos);
    EXPECT_NE(text.find("| ▲ better |"), std::string::npos);
    std::size_t pipes = 0;
    for (const std::string_view line : split(text, '\n')) {
        if (line.starts_with("| variant |") || line.starts_with("| :--")) {
            pipes = count(line, "|");
        } else if (line.starts_with("| `")) {
            EXPECT_EQ(count(line, "|") - count(line, "\\|"), pipes) << line;
        }
    }
}

TEST(Markdown, OutsideTextIsNeitherMarkupNorAMention) {
    const std::string text = markdown_of(demo_hostile());
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_TRUE(is_utf8(text));
    // Inside code spans everything is text. Outside no element is opened, nobody is addressed and
    // no address becomes a link.
    bool code = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '`' && (i == 0 || text[i - 1] != '\\')) {
            code = !code;
        }
        if (!code) {
            EXPECT_NE(text.substr(i, 7), "<script");
            EXPECT_NE(text.substr(i, 4), "<img");
            EXPECT_NE(text.substr(i, 8), "@someone");
            EXPECT_NE(text.substr(i, 8), "https://");
        }
    }
    EXPECT_FALSE(code) << "an open code span";
}

TEST(Markdown, FitsIntoAComment) {
    Demo demo = demo_wmt(40);
    const std::vector<ComparisonRow> rows = demo.report.comparisons;
    for (int i = 0; i < 20; ++i) {
        demo.report.comparisons.insert(demo.report.comparisons.end(), rows.begin(), rows.end());
    }
    const std::string text = markdown_of(demo);
    EXPECT_LT(text.size(), 65'536U);
    EXPECT_NE(text.find("more comparisons"), std::string::npos);
}

TEST(Junit, HasACaseForEachGate) {
    const std::string xml = junit_of(demo_live());
    EXPECT_EQ(markup_problem(xml), "");
    EXPECT_EQ(count(xml, "<testcase "), 3U);
    EXPECT_EQ(count(xml, "<failure "), 1U);
    EXPECT_NE(xml.find("tests=\"3\" failures=\"1\""), std::string::npos);
    EXPECT_NE(xml.find("found $5.93"), std::string::npos);
}

TEST(Junit, WithoutGatesHasACaseForEachFigure) {
    const std::string xml = junit_of(demo_nothing());
    EXPECT_EQ(markup_problem(xml), "");
    EXPECT_EQ(count(xml, "<testcase "), 3U);
    EXPECT_EQ(count(xml, "<skipped "), 2U);
}

TEST(Junit, ARunThatDidNotCompleteFails) {
    const std::string xml = junit_of(demo_empty());
    EXPECT_EQ(markup_problem(xml), "");
    EXPECT_NE(xml.find("interrupted before the first call"), std::string::npos);
    EXPECT_EQ(count(xml, "<failure "), 1U);
}

TEST(Junit, HostileTextStaysText) {
    const std::string xml = junit_of(demo_hostile());
    EXPECT_EQ(markup_problem(xml), "");
    EXPECT_EQ(xml.find("<script"), std::string::npos);
    EXPECT_EQ(xml.find('\x1b'), std::string::npos);
}

TEST(Write, ChoosesTheFormatByTheEnding) {
    EXPECT_EQ(format_of_path("out/report.HTML").value(), Format::html);
    EXPECT_EQ(format_of_path("a.json").value(), Format::json);
    EXPECT_EQ(format_of_path("a.yml").value(), Format::yaml);
    EXPECT_EQ(format_of_path("a.csv").value(), Format::csv);
    EXPECT_EQ(format_of_path("a.items.csv").value(), Format::items_csv);
    EXPECT_EQ(format_of_path("a.comparisons.csv").value(), Format::comparisons_csv);
    EXPECT_EQ(format_of_path("a.md").value(), Format::markdown);
    EXPECT_EQ(format_of_path("junit.xml").value(), Format::junit);
    for (const char* path : {"report", "a.pdf", "json", ""}) {
        const auto format = format_of_path(path);
        ASSERT_FALSE(format) << path;
        EXPECT_EQ(format.error().code, Code::validation);
        EXPECT_NE(format.error().message.find(".json"), std::string::npos);
    }
}

TEST(Write, EveryFormatTakesEveryReport) {
    for (const auto& make : {demo_live, demo_nothing, demo_empty, demo_hostile}) {
        const Demo demo = make();
        const DemoItems items(demo.rows);
        for (const Format format :
             {Format::html,
              Format::json,
              Format::yaml,
              Format::csv,
              Format::comparisons_csv,
              Format::items_csv,
              Format::markdown,
              Format::junit}) {
            const std::string text = rendered([&](const Sink& sink) {
                return write(demo.report, &items, format, sink);
            });
            EXPECT_FALSE(text.empty());
        }
    }
    const Demo demo = demo_nothing();
    const Sink nowhere = [](std::string_view) { return ok(); };
    EXPECT_FALSE(write(demo.report, nullptr, Format::items_csv, nowhere));
    EXPECT_TRUE(write(demo.report, nullptr, Format::html, nowhere));
}

}  // namespace
}  // namespace lab::report
