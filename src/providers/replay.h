#pragma once
#include "providers/provider.h"

namespace lab::providers {

/// Recorded outputs, read from a JSONL file by item id. One pass over the file builds the index
/// (16 bytes a row); rows are read from the disk when they are asked for. The answers are given
/// before start() returns.
///
/// A row is an object with the id and the output under the names the spec gives (dots reach into
/// nested objects, numbers into lists), and optionally `finish_reason`, `latency_ms` and
/// `usage {input, cache_read, cache_write, output, reasoning}`. Where no row has the id's member,
/// or id_field is "line", the 1-based number of the row is its id (empty lines are not rows).
///
/// An output recorded as null is a sample without an output.
///
/// Errors: not_found, io when the file cannot be read; validation with the lines of rows that are
/// not JSON, lack the id or the output, or repeat an id.
Result<std::unique_ptr<Provider>> make_replay_provider(const domain::ModelSpec& model);

}  // namespace lab::providers
