#include "report/terminal.h"

#include "base/text.h"
#include "report/impl/display.h"
#include "report/impl/test_demo.h"
#include "report/impl/text_table.h"

#include <gtest/gtest.h>

#include <set>

namespace lab::report {
namespace {

std::string terminal(const Report& report, const TerminalOptions& options) {
    return rendered([&](const Sink& sink) { return write_terminal(report, options, sink); });
}
std::string compact(const Report& report) {
    return rendered([&](const Sink& sink) { return write_compact(report, sink); });
}
std::size_t widest(const std::string& text) {
    std::size_t out = 0;
    for (const std::string_view line : split(text, '\n')) {
        // Signatures are there to be copied and are not wrapped.
        if (!line.contains("version:llm-research")) {
            out = std::max(out, display_width(line));
        }
    }
    return out;
}

TEST(Display, CountsColumnsNotBytes) {
    EXPECT_EQ(display_width("abc"), 3U);
    EXPECT_EQ(display_width("größe"), 5U);
    EXPECT_EQ(display_width("翻訳"), 4U);
    EXPECT_EQ(display_width("e\xCC\x81"), 1U);
    EXPECT_EQ(display_width(""), 0U);
}

TEST(Display, LetsNothingThroughThatATerminalObeys) {
    const std::string text = printable(kHostile);
    EXPECT_TRUE(is_utf8(text));
    for (std::size_t at = 0; at < text.size();) {
        EXPECT_FALSE(is_unsafe(next_code_point(text, at)));
    }
    EXPECT_EQ(printable("a\nb\tc"), "a b c");
    EXPECT_EQ(printable("日本語 ñ"), "日本語 ñ");
}

TEST(Display, CutsInTheMiddle) {
    EXPECT_EQ(abbreviate("6b_verification", 15), "6b_verification");
    EXPECT_EQ(abbreviate("6b_verification", 9), "6b_v…tion");
    EXPECT_EQ(display_width(abbreviate("翻訳翻訳翻訳", 6)), 5U);
}

TEST(Display, WrapsAtSpacesAndCutsLongWords) {
    EXPECT_EQ(wrap("one two three", 7), (std::vector<std::string>{"one two", "three"}));
    EXPECT_EQ(wrap("abcdefghij kl", 4), (std::vector<std::string>{"abcd", "efgh", "ij", "kl"}));
    EXPECT_EQ(wrap("", 10), std::vector<std::string>{""});
    EXPECT_EQ(wrap("翻訳翻訳", 3), (std::vector<std::string>{"翻", "訳", "翻", "訳"}));
}

TEST(Display, WrapsNamesBehindTheirSeparators) {
    const auto lines = [](const char* name, std::size_t width) {
        return join(wrap_name(name, width), "|");
    };
    EXPECT_EQ(lines("large-model/chain-of-thought", 40), "large-model/chain-of-thought");
    EXPECT_EQ(lines("large-model/chain-of-thought", 16), "large-model/|chain-of-thought");
    EXPECT_EQ(lines("large-model/chain-of-thought", 14), "large-model/|chain-of-|thought");
    EXPECT_EQ(lines("6b_verification", 14), "6b_|verification");
    EXPECT_EQ(lines("a-bcdefghijklmnopqrstuvwxyz", 10), "a-bcdefghi|jklmnopqrs|tuvwxyz");
    EXPECT_EQ(lines("翻訳翻訳", 4), "翻訳|翻訳");
    EXPECT_EQ(lines("翻訳", 1), "翻訳") << "what does not fit at all is left alone";
    EXPECT_EQ(lines("", 10), "");
}

TEST(TextTable, WrapsNamesAndSaysThemWhole) {
    TextTable table({{.title = "name", .shrinks_to = 6}, {.title = "n", .right = true}});
    table.add({{"large/plain"}, {"1"}});
    table.add({{"small"}, {"20"}});
    EXPECT_TRUE(table.fit(15).empty());
    EXPECT_EQ(
        table.text(false),
        "┌────────┬────┐\n│ name   │  n │\n├────────┼────┤\n│ large/ │  1 │\n"
        "│ plain  │    │\n│ small  │ 20 │\n└────────┴────┘\n"
    );
    EXPECT_EQ(table.width(), 15U);
}

TEST(TextTable, LeavesOutColumnsOfTheHighestRankFirst) {
    TextTable table(
        {{.title = "name", .shrinks_to = 4},
         {.title = "first", .rank = 1},
         {.title = "second", .rank = 2}}
    );
    table.add({{"a"}, {"1"}, {"2"}});
    EXPECT_EQ(table.width(), 25U);
    EXPECT_TRUE(table.fit(25).empty());
    EXPECT_EQ(table.fit(24), std::vector<std::string>{"second"});
    EXPECT_EQ(
        table.text(false),
        "┌──────┬───────┐\n│ name │ first │\n├──────┼───────┤\n│ a    │ 1     │\n"
        "└──────┴───────┘\n"
    );
}

TEST(Terminal, EightyColumnsLookLikeThis) {
    const std::string text =
        terminal(demo_gsm8k().report, {.width = 80, .color = false, .saved = {"out/report.html"}});
    EXPECT_EQ(text, R"(
gsm8k-four-models #3  ✔ completed
  gsm8k@1 · 1,319 items · 4 variants · 5,276 samples · all replayed · cost $0

▸ Best accuracy: 175b_verification, 56.3 % (53.6 to 58.9); better than each of
  the 3 it was compared with.

┌──────────────────────────┬─────────────────────┬───────────┬───────────┐
│ variant                  │            accuracy │   right/n │  unparsed │
├──────────────────────────┼─────────────────────┼───────────┼───────────┤
│ 6b_finetuning (baseline) │ 21.7 % [19.5, 24.0] │ 286/1,319 │ 6 (0.5 %) │
│ 6b_verification          │ 39.0 % [36.4, 41.7] │ 515/1,319 │ 1 (0.1 %) │
│ 175b_finetuning          │ 34.7 % [32.2, 37.3] │ 458/1,319 │ 7 (0.5 %) │
│ 175b_verification        │ 56.3 % [53.6, 58.9] │ 742/1,319 │ 1 (0.1 %) │
└──────────────────────────┴─────────────────────┴───────────┴───────────┘

Differences, in points
┌──────────────┬───────────────┬──────────────────────┬──────────┬──────────┐
│ variant      │ against       │           difference │ p (Holm) │ verdict  │
├──────────────┼───────────────┼──────────────────────┼──────────┼──────────┤
│ 6b_          │ 6b_finetuning │ +17.4 [+14.7, +20.0] │  1.6e-35 │ ▲ better │
│ verification │               │                      │          │          │
│ 175b_        │ 6b_finetuning │ +13.0 [+10.4, +15.7] │  1.5e-20 │ ▲ better │
│ finetuning   │               │                      │          │          │
│ 175b_        │ 6b_           │    -4.3 [-7.1, -1.5] │   0.0032 │ ▼ worse  │
│ finetuning   │ verification  │                      │          │          │
│ 175b_        │ 6b_finetuning │ +34.6 [+31.7, +37.5] │  9.9e-99 │ ▲ better │
│ verification │               │                      │          │          │
│ 175b_        │ 6b_           │ +17.2 [+14.4, +20.0] │  3.7e-32 │ ▲ better │
│ verification │ verification  │                      │          │          │
│ 175b_        │ 175b_         │ +21.5 [+18.7, +24.4] │  1.4e-44 │ ▲ better │
│ verification │ finetuning    │                      │          │          │
└──────────────┴───────────────┴──────────────────────┴──────────┴──────────┘

  accuracy: intervals: Wilson 95 %; differences: paired t 95 %, 1318 df; p:
  McNemar, exact; p corrected by Holm over 6 comparisons, intervals each at 95 %

Gates
✔ passed accuracy of 175b_verification at least 0.5 (found 0.563)

Report: out/report.html
)");
}

TEST(Terminal, StaysInsideItsWidth) {
    const Demo demos[] = {demo_gsm8k(), demo_bbh(), demo_live(), demo_wmt(60), demo_nothing()};
    for (const Demo& demo : demos) {
        for (const int width : {80, 100, 120, 160}) {
            EXPECT_LE(
                widest(terminal(demo.report, {.width = width})), static_cast<std::size_t>(width)
            );
        }
        // Narrower than the figures themselves nothing more can give.
        EXPECT_LE(widest(terminal(demo.report, {.width = 20})), 80U);
    }
}

TEST(Terminal, ShowsIntervalsAsALineWhereThereIsRoom) {
    const std::string wide = terminal(demo_gsm8k().report, {.width = 120});
    EXPECT_NE(wide.find("─●─"), std::string::npos);
    EXPECT_NE(wide.find("(baseline)"), std::string::npos);
}

TEST(Terminal, TheUnparsedShareIsTheLastToGo) {
    Demo demo = demo_live();
    Report& report = demo.report;
    report.metrics[1].primary = true;
    for (VariantSummary& variant : report.variants) {
        variant.id = "a-provider/with-a-very-long-model-name/" + variant.id;
    }
    for (const int width : {80, 100}) {
        const std::string text = terminal(report, {.width = width});
        EXPECT_NE(text.find(" unparsed "), std::string::npos) << text;
        for (const std::string_view line : split(text, '\n')) {
            EXPECT_TRUE(
                !line.contains("│") || display_width(line) <= static_cast<std::size_t>(width)
            ) << line;
        }
        const std::size_t said = text.find("no room for: ");
        if (said != std::string::npos) {
            EXPECT_EQ(
                text.substr(said, text.find('\n', said) - said).find("unparsed"), std::string::npos
            );
        }
    }
}

TEST(Terminal, SaysWhereTheMethodsAreWeak) {
    Report report = demo_bbh().report;
    std::string text = terminal(report, {.width = 100});
    EXPECT_NE(text.find("fewer than 30 clusters"), std::string::npos) << text;
    report.comparisons[0].comparison.notes = {"only 3 items differ: the interval is rough"};
    report.comparisons[0].comparison.missing_note = "";
    text = terminal(report, {.width = 100});
    const std::string about = report.variants[report.comparisons[0].a].id + " against ";
    EXPECT_NE(text.find("note " + about), std::string::npos) << text;
    // What is a warning is not said twice.
    report.comparisons[0].comparison.missing_note = report.comparisons[0].comparison.notes[0];
    EXPECT_EQ(terminal(report, {.width = 100}).find("only 3 items"), std::string::npos);
}

TEST(Terminal, APValueAtItsFloorIsAnUpperBound) {
    Report report = demo_wmt(60).report;
    report.comparisons[0].primary = true;
    report.comparisons[0].comparison.p = report.comparisons[0].comparison.p_adjusted = 1.0 / 10001;
    report.comparisons[0].comparison.p_at_floor = true;
    EXPECT_NE(terminal(report, {.width = 120}).find("│ <= 1.0e-04 │"), std::string::npos);
    EXPECT_NE(compact(report).find("  p <= 1.0e-04  "), std::string::npos);
}

TEST(Terminal, RefusalsAndTheSpreadInsideItemsAreShownWhereThereAreAny) {
    Report report = demo_gsm8k().report;
    EXPECT_EQ(terminal(report, {.width = 160}).find("refused"), std::string::npos);
    EXPECT_EQ(terminal(report, {.width = 160}).find("inside"), std::string::npos);
    report.variants[1].refused = 12;
    report.variants[1].metrics[0].parts = {.inside = 0.0625, .items = 0.16};
    const std::string text = terminal(report, {.width = 160});
    EXPECT_NE(text.find("│    refused │"), std::string::npos) << text;
    EXPECT_NE(text.find("12 (0.9 %)"), std::string::npos);
    EXPECT_NE(text.find("6b_verification 25.0 / 40.0"), std::string::npos) << text;
}

TEST(Terminal, ColourOnlyRepeatsWhatWordsSay) {
    const Report report = demo_live().report;
    const std::string plain = terminal(report, {.width = 100, .color = false});
    std::string colored = terminal(report, {.width = 100, .color = true});
    EXPECT_EQ(plain.find('\x1b'), std::string::npos);
    EXPECT_NE(colored.find("\x1b[1m"), std::string::npos);
    for (std::size_t at = 0; (at = colored.find('\x1b')) != std::string::npos;) {
        colored.erase(at, colored.find('m', at) - at + 1);
    }
    EXPECT_EQ(colored, plain);
}

TEST(Terminal, SaysWhatFailed) {
    const std::string text = terminal(demo_live().report, {.width = 100});
    EXPECT_NE(text.find("✘ failed cost of large-pro/step-by-step at most $2"), std::string::npos);
    EXPECT_NE(text.find("38 x upstream_timeout"), std::string::npos);
    EXPECT_NE(text.find("may have been billed"), std::string::npos);
    const std::string stopped = terminal(demo_empty().report, {});
    EXPECT_NE(stopped.find("! interrupted"), std::string::npos);
    EXPECT_NE(stopped.find("before the first call"), std::string::npos);
}

TEST(Terminal, NaNIsPrintedAsNotAvailable) {
    const std::string text = terminal(demo_nothing().report, {});
    EXPECT_NE(text.find("n/a"), std::string::npos);
    EXPECT_EQ(text.find("nan"), std::string::npos);
    EXPECT_EQ(text.find("inf"), std::string::npos);
}

TEST(Terminal, HostileTextCannotSteerTheTerminal) {
    for (const bool color : {false, true}) {
        std::string text =
            terminal(demo_hostile().report, {.width = 100, .color = color, .saved = {"a\x1b[2J"}});
        EXPECT_TRUE(is_utf8(text));
        EXPECT_EQ(text.find("\x1b]"), std::string::npos);
        EXPECT_EQ(text.find("\x1b[31mred"), std::string::npos);
        EXPECT_EQ(text.find("\x1b[2J"), std::string::npos);
        for (std::size_t at = 0; at < text.size();) {
            const char32_t c = next_code_point(text, at);
            EXPECT_TRUE(!is_unsafe(c) || c == '\n' || (color && c == 0x1B)) << static_cast<int>(c);
        }
    }
    const std::string lines = compact(demo_hostile().report);
    EXPECT_EQ(lines.find('\x1b'), std::string::npos);
    EXPECT_EQ(std::ranges::count(lines, '\n'), 4);
}

TEST(Compact, HasOneLineForEachThing) {
    const std::string text = compact(demo_gsm8k().report);
    EXPECT_TRUE(text.starts_with(
        "6b_finetuning  accuracy 21.7 % [19.5, 24.0] 286/1,319  unparsed 6  missing 0  cost $0\n"
    )) << text;
    EXPECT_NE(
        text.find("175b_verification against 175b_finetuning  accuracy +21.5 [+18.7, +24.4] points"
                  "  p = 1.4e-44  better\n"),
        std::string::npos
    );
    EXPECT_EQ(std::ranges::count(text, '\n'), 4 + 6 + 1);
    EXPECT_EQ(compact(Report{}), "");
}

}  // namespace
}  // namespace lab::report
