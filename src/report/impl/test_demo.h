#pragma once
#include "report/model.h"

#include <string>
#include <vector>

/// Reports for tests and for looking at: real recorded outputs of examples/ with figures computed
/// by science, and one invented live run in which everything happens that can happen.
namespace lab::report {

struct Demo {
    Report report;
    std::vector<ItemRow> rows;
};

class DemoItems final : public ItemSource {
  public:
    explicit DemoItems(const std::vector<ItemRow>& rows) : rows_(rows) {}
    std::int64_t count() const override { return static_cast<std::int64_t>(rows_.size()); }
    Status each(const std::function<Status(const ItemRow&)>& visit) const override {
        for (const ItemRow& row : rows_) {
            LAB_CHECK(visit(row));
        }
        return ok();
    }

  private:
    const std::vector<ItemRow>& rows_;
};

/// Four models, 1,319 problems, replayed: no cost, no latency.
Demo demo_gsm8k();
/// Two prompts, 1,761 questions in eight clusters.
Demo demo_bbh();
/// Nine translation systems, corpus BLEU and chrF, the first `segments` of 1,984.
Demo demo_wmt(std::size_t segments);
/// Eight variants on 400 items twice: costs, latencies, failures, unparsed outputs, gates, errors.
Demo demo_live();
/// Four variants x `items` with outputs of a few hundred characters.
Demo demo_large(std::size_t items);

/// Two variants with a metric, and not one figure: NaN everywhere.
Demo demo_nothing();
/// A run that was never started: no variants, no metrics.
Demo demo_empty();
/// Names, outputs and messages that try to break out of whatever they are printed in.
Demo demo_hostile();
/// What demo_hostile's texts are made of.
inline constexpr std::string_view kHostile =
    "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>]]>&\"'`|@someone #12 "
    "https://evil.example \x1b[31m\x1b]0;title\x07\x9b\xe2\x80\xae\xff=1+1\nline two";

/// Everything a rendering says, collected.
std::string rendered(
    const std::function<Status(const std::function<Status(std::string_view)>&)>& write
);

}  // namespace lab::report
