#include "report/terminal.h"

#include "report/demo_report.h"
#include "report/impl/display.h"
#include "report/impl/text_table.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <limits>

namespace lab::report {
namespace {

std::string terminal(const Report& report, const TerminalOptions& options) {
    return rendered([&](const Sink& sink) { return write_terminal(report, options, sink); });
}
TEST(Terminal, Look) {
    for (auto* f : {&demo_gsm8k, &demo_bbh, &demo_live}) {
        const Demo demo = (*f)();
        for (int width : {80, 120}) {
            std::puts(terminal(demo.report, {.width = width, .color = false}).c_str());
        }
    }
    const Demo demo = demo_wmt(400);
    std::puts(terminal(demo.report, {.width = 80, .color = false}).c_str());
    std::puts(terminal(demo.report, {.width = 130, .color = false}).c_str());
}
}  // namespace
}  // namespace lab::report
