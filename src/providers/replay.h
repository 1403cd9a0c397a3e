#pragma once
#include "providers/provider.h"

#include <memory>

namespace lab::providers {

/// Answers from a file of recorded outputs, by item id: JSONL rows `{"id": ..., "output": ...}`
/// (ModelSpec::replay names other fields; dots reach into nested objects). A file without ids is
/// keyed by its row numbers, 1-based. Optional members of a row: "finish_reason", "latency_ms",
/// "usage" {"input", "cache_read", "cache_write", "output", "reasoning"}. Memory: 16 bytes a row.
/// Errors: validation (bad row by line, an id given twice with both lines, no output field),
/// not_found, io.
Result<std::unique_ptr<Provider>> make_replay_provider(const domain::ModelSpec& model);

}  // namespace lab::providers
