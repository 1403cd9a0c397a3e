#pragma once
#include "report/model.h"
#include "report/sink.h"

namespace lab::report {

/// tree.h's tree as JSON, with the items (when `items` is given) streamed as results.items:
/// {"id","reference","samples":[{"variant","repetition","state","output","finish_reason","scores",
/// "extracted","unparsed"}]}. state is "done", "failed" or "not_run"; scores are by metric, null =
/// n/a; extracted and unparsed are by scorer.
Status write_json(
    const Report& report, const ItemSource* items, const Sink& sink, bool pretty = false
);

/// The same tree without items as YAML.
Status write_yaml(const Report& report, const Sink& sink);

}  // namespace lab::report
