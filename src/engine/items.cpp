#include "engine/items.h"

#include "base/hash.h"
#include "base/rng.h"
#include "base/text.h"
#include "science/prompt/template.h"

#include <algorithm>

namespace lab::engine {
namespace {

/// Chooses `wanted` of `rows` without replacement (Floyd 1987), and keeps the dataset's order.
void draw(std::vector<std::int64_t>& rows, std::int64_t wanted, std::uint64_t seed) {
    Rng rng(derive_seed(seed, "sample"));
    for (std::size_t i = 0; i < static_cast<std::size_t>(wanted); ++i) {
        const std::size_t j = i + rng.below(rows.size() - i);
        std::swap(rows[i], rows[j]);
    }
    rows.resize(static_cast<std::size_t>(wanted));
    std::ranges::sort(rows);
}

}  // namespace

std::string field_text(const Json& value) {
    return value.is_string() ? value.get<std::string>() : dump_json(value);
}

Json Items::load_row(std::int64_t row) const {
    Result<Json> parsed = parse_json(file_.row(row));
    LAB_ASSERT(parsed.has_value(), "an imported row is valid JSON");
    // All are read before any is written: a name may stand for another field and be one.
    std::vector<std::pair<const std::string*, Json>> added;
    for (const auto& [name, source] : spec_.fields) {
        if (const Json* value = science::find_variable(*parsed, source)) {
            added.emplace_back(&name, *value);
        }
    }
    for (auto& [name, value] : added) {
        (*parsed)[*name] = std::move(value);
    }
    return std::move(*parsed);
}

Json Items::load(std::int64_t item) const { return load_row(row_of(item)); }

std::string Items::id_of(std::int64_t item, const Json& row) const {
    const Json* id = science::find_variable(row, spec_.id_field);
    return id == nullptr || id->is_null() ? std::to_string(row_of(item) + 1) : field_text(*id);
}

Status Items::check_ids(std::vector<std::pair<std::uint64_t, std::int64_t>> ids) const {
    std::ranges::sort(ids);
    for (std::size_t i = 1; i < ids.size(); ++i) {
        // Equal hashes are compared as text, among all that share the hash.
        for (std::size_t j = i; j > 0 && ids[j - 1].first == ids[i].first; --j) {
            const std::int64_t first = ids[j - 1].second;
            const std::int64_t second = ids[i].second;
            const std::string id = id_of(second, load_row(second));
            if (id == id_of(first, load_row(first))) {
                return Error(
                    Code::validation,
                    "rows " + std::to_string(first + 1) + " and " + std::to_string(second + 1) +
                        " have the same " + spec_.id_field + " \"" + shorten(id, 80) + "\""
                );
            }
        }
    }
    return ok();
}

Result<Items> Items::select(storage::DatasetFile file, const domain::DatasetSpec& spec) {
    Items items(std::move(file), spec);
    const std::int64_t rows = items.file_.rows();
    std::vector<std::int64_t> chosen;
    std::vector<std::pair<std::uint64_t, std::int64_t>> ids;  // hash and row
    bool numbered = true;                                     // no row has an id of its own
    for (std::int64_t row = 0; row < rows; ++row) {
        const Json value = items.load_row(row);
        if (!spec.split.empty()) {
            const Json* split = science::find_variable(value, spec.split_field);
            if (split == nullptr || field_text(*split) != spec.split) {
                continue;
            }
        }
        const Json* id = science::find_variable(value, spec.id_field);
        numbered = numbered && (id == nullptr || id->is_null());
        ids.emplace_back(fnv1a64(items.id_of(row, value)), row);
        chosen.push_back(row);
        if (spec.limit && static_cast<std::int64_t>(chosen.size()) == *spec.limit) {
            break;
        }
    }
    if (!numbered) {
        LAB_CHECK(items.check_ids(std::move(ids)));
    }
    if (spec.sample && *spec.sample < static_cast<std::int64_t>(chosen.size())) {
        draw(chosen, *spec.sample, spec.seed);
    }
    if (chosen.empty()) {
        return Error(
            Code::validation,
            spec.split.empty() ? std::string("the dataset has no rows")
                               : "no row has " + spec.split_field + " = \"" + spec.split + "\""
        );
    }
    items.count_ = static_cast<std::int64_t>(chosen.size());
    if (items.count_ < rows) {
        items.rows_ = std::move(chosen);
    }
    return items;
}

}  // namespace lab::engine
