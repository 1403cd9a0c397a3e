#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

/// The words an experiment file may use, shared by the schema and by what reads it.
namespace lab::domain::words {

inline const std::vector<std::string> kDirections{"greater", "less", "different"};
inline const std::vector<std::string> kFormats{"jsonl", "json", "csv", "tsv", "parquet", "text"};
inline const std::vector<std::string> kRoles{"system", "user", "assistant"};
inline const std::vector<std::string> kApis{"chat", "completions"};
inline const std::vector<std::string> kCompare{"baseline", "all_pairs"};
inline const std::vector<std::string> kCorrections{"holm", "bh", "none"};
inline const std::vector<std::string> kMcNemar{"midp", "exact"};
inline const std::vector<std::string> kCacheModes{"off", "read_write", "read_only"};
inline const std::vector<std::string> kVerdicts{
    "better", "worse", "equivalent", "no_difference_shown"
};
inline const std::vector<std::string> kFigures{
    "error_share", "unparsed_share", "cost_usd", "latency_p95_s"
};

}  // namespace lab::domain::words

namespace lab::domain {

inline constexpr std::size_t kVariantsMax = 1000;
inline constexpr std::int64_t kShotsMax = 1000;

}  // namespace lab::domain
