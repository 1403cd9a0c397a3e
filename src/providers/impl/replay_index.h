#pragma once
#include "base/result.h"
#include "domain/spec.h"
#include "providers/provider.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lab::providers {

/// What a row of a replay file says.
struct ReplayRow {
    std::optional<std::string> id;
    std::optional<std::string> output;  ///< nullopt with has_output: recorded as null
    bool has_output = false;
    std::string finish_reason = "stop";
    std::optional<domain::Usage> usage;
    std::optional<Duration> latency;
};

/// Reads one row; nullopt when it is not a JSON object.
std::optional<ReplayRow> read_replay_row(
    std::string_view line, std::string_view id_field, std::string_view output_field
);

/// Where in the file each id stands: a sorted table of 64-bit hashes and offsets. The id is
/// compared when a row is read, so that two ids of one hash do no harm. One thread.
class ReplayIndex {
  public:
    static Result<ReplayIndex> open(const domain::ReplaySpec& spec);
    ReplayIndex(ReplayIndex&& other) noexcept;
    ReplayIndex& operator=(ReplayIndex&&) = delete;
    ~ReplayIndex();

    std::size_t size() const { return entries_.size(); }
    /// nullopt: there is no such row. Errors: io when the file has changed or cannot be read.
    Result<std::optional<ReplayRow>> find(std::string_view id);

  private:
    struct Entry {
        std::uint64_t hash;
        std::uint64_t offset;
    };
    class Builder;
    explicit ReplayIndex(domain::ReplaySpec spec) : spec_(std::move(spec)) {}
    Result<std::string_view> read_line(std::uint64_t offset);
    std::size_t lower_bound(std::uint64_t hash) const;
    Status check_duplicates();
    std::vector<std::int64_t> line_numbers(const std::vector<std::uint64_t>& offsets) const;

    domain::ReplaySpec spec_;
    int fd_ = -1;
    bool numbered_ = false;  ///< ids are row numbers
    std::vector<Entry> entries_;
    std::string buffer_;
};

}  // namespace lab::providers
