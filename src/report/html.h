#pragma once
#include "report/model.h"
#include "report/sink.h"

#include <cstdint>

namespace lab::report {

struct HtmlOptions {
    std::int64_t items_max = 20'000;  ///< the first ones are embedded; the page says so
};

/// One self-contained page: nothing is loaded, and a content security policy lets only the page's
/// own style sheet and script work, so that a model's output is never more than text. Items are
/// streamed into it. Without `items` there is no item table.
Status write_html(
    const Report& report, const ItemSource* items, const HtmlOptions& options, const Sink& sink
);

}  // namespace lab::report
