#include "report/html.h"

#include "report/demo_report.h"

#include <gtest/gtest.h>

#include <fstream>

namespace lab::report {
namespace {
void save(const std::string& name, const Demo& demo) {
    const DemoItems items(demo.rows);
    std::ofstream(::testing::TempDir() + "report_" + name + ".html")
        << rendered([&](const Sink& sink) { return write_html(demo.report, &items, {}, sink); });
}
TEST(Html, Look) {
    save("gsm8k", demo_gsm8k());
    save("bbh", demo_bbh());
    save("live", demo_live());
    save("wmt", demo_wmt(1984));
}
}  // namespace
}  // namespace lab::report
