#include "science/metrics/signature.h"

namespace lab::science {

std::string metrics_version() { return "llm-research-" + std::string(kMetricsVersion); }

std::string with_reference_counts(
    std::string_view signature, std::size_t fewest, std::size_t most
) {
    constexpr std::string_view kKey = "nrefs:";
    if (!signature.starts_with(kKey)) {
        return std::string(signature);
    }
    const std::size_t end = std::min(signature.find('|'), signature.size());
    std::string out(kKey);
    out += fewest == most ? std::to_string(most) : "var";
    out += signature.substr(end);
    return out;
}

}  // namespace lab::science
