#pragma once
#include "domain/spec.h"
#include "storage/objects/dataset_file.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lab::engine {

/// The rows an experiment uses, in the order of the dataset. Any thread.
class Items {
  public:
    /// Applies split, where, limit and sample of `spec`. Errors: validation when nothing is left or
    /// an id is given twice ("rows 3 and 17 have the same id \"x\"").
    static Result<Items> select(storage::DatasetFile file, const domain::DatasetSpec& spec);

    std::int64_t count() const { return count_; }
    /// 0-based row of the dataset behind item `item`.
    std::int64_t row_of(std::int64_t item) const {
        return rows_.empty() ? item : rows_[static_cast<std::size_t>(item)];
    }
    std::string_view text(std::int64_t item) const { return file_.row(row_of(item)); }
    /// The row with the spec's extra names (`fields`).
    Json load(std::int64_t item) const;
    /// The id field as text; the 1-based row number without one.
    std::string id_of(std::int64_t item, const Json& row) const;
    /// Rows outside the selection too, for few-shot pools: 0-based row.
    Json load_row(std::int64_t row) const;
    const storage::DatasetFile& file() const { return file_; }
    const domain::DatasetSpec& spec() const { return spec_; }

  private:
    Items(storage::DatasetFile file, domain::DatasetSpec spec)
        : file_(std::move(file)), spec_(std::move(spec)) {}
    /// `ids`: hash of the id and row. Before the selection, when rows are items.
    Status check_ids(std::vector<std::pair<std::uint64_t, std::int64_t>> ids) const;
    storage::DatasetFile file_;
    domain::DatasetSpec spec_;
    std::vector<std::int64_t> rows_;  ///< empty: all rows
    std::int64_t count_ = 0;
};

/// As templates print it: text as is, everything else as JSON.
std::string field_text(const Json& value);

}  // namespace lab::engine
