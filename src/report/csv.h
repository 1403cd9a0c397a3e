#pragma once
#include "report/model.h"
#include "report/sink.h"

namespace lab::report {

/// RFC 4180 (CRLF), UTF-8, a header line. A text that a spreadsheet would take for a formula gets a
/// leading apostrophe; numbers are written as they are, n/a as an empty cell.

/// One line per variant and metric.
Status write_csv(const Report& report, const Sink& sink);
/// One line per comparison of two variants on a metric.
Status write_comparisons_csv(const Report& report, const Sink& sink);
/// One line per item, variant and repetition.
Status write_items_csv(const Report& report, const ItemSource& items, const Sink& sink);

}  // namespace lab::report
