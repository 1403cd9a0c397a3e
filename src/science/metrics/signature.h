#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace lab::science {

/// Version of the definitions in this room; a change of any figure they give raises it.
inline constexpr std::string_view kMetricsVersion = "1";

/// "llm-research-1"
std::string metrics_version();

/// The signature with its `nrefs` set: a scorer is made before its items are known and says
/// "nrefs:1"; whoever has seen them passes the fewest and most references of an item. Differing
/// ones become "nrefs:var", as sacrebleu prints it. A signature without nrefs stays as it is.
std::string with_reference_counts(std::string_view signature, std::size_t fewest, std::size_t most);

}  // namespace lab::science
