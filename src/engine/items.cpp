#include "engine/items.h"

#include "base/hash.h"
#include "base/rng.h"
#include "base/text.h"
#include "science/prompt/template.h"

#include <algorithm>
#include <map>

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

/// Draws from each stratum in proportion to its size, what is left over going to the largest
/// remainders (ties: to the stratum that comes first). `strata`: the stratum of each row.
void draw_stratified(
    std::vector<std::int64_t>& rows,
    const std::vector<std::string>& strata,
    std::int64_t wanted,
    std::uint64_t seed
) {
    std::vector<std::string> names;
    std::map<std::string, std::vector<std::int64_t>> members;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        auto& stratum = members[strata[i]];
        if (stratum.empty()) {
            names.push_back(strata[i]);
        }
        stratum.push_back(rows[i]);
    }
    struct Share {
        std::int64_t count = 0;
        std::int64_t remainder = 0;
        std::size_t place = 0;
    };
    std::vector<Share> shares;
    const auto total = std::ssize(rows);
    std::int64_t given = 0;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const std::int64_t size = std::ssize(members[names[i]]);
        shares.push_back({size * wanted / total, size * wanted % total, i});
        given += shares.back().count;
    }
    std::vector<Share*> order;
    for (Share& share : shares) {
        order.push_back(&share);
    }
    std::ranges::sort(order, [](const Share* a, const Share* b) {
        return std::pair(-a->remainder, a->place) < std::pair(-b->remainder, b->place);
    });
    for (std::size_t i = 0; given < wanted; ++i, ++given) {
        ++order[i]->count;
    }
    rows.clear();
    for (const Share& share : shares) {
        auto& stratum = members[names[share.place]];
        if (share.count < std::ssize(stratum)) {
            draw(stratum, share.count, derive_seed(seed, names[share.place]));
        }
        rows.insert(rows.end(), stratum.begin(), stratum.end());
    }
    std::ranges::sort(rows);
}

bool holds(
    const Json& row, const std::vector<std::pair<std::string, std::vector<std::string>>>& where
) {
    return std::ranges::all_of(where, [&](const auto& condition) {
        const Json* value = science::find_variable(row, condition.first);
        return value != nullptr &&
               std::ranges::find(condition.second, field_text(*value)) != condition.second.end();
    });
}

std::string why_empty(const domain::DatasetSpec& spec) {
    if (!spec.where.empty()) {
        return "no row is left by `where`" +
               (spec.split.empty() ? std::string() : " and the split \"" + spec.split + "\"");
    }
    return spec.split.empty() ? std::string("the dataset has no rows")
                              : "no row has " + spec.split_field + " = \"" + spec.split + "\"";
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
    std::vector<std::string> strata;                          // of the chosen, with stratify
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
        if (!holds(value, spec.where)) {
            continue;
        }
        if (!spec.stratify.empty()) {
            const Json* stratum = science::find_variable(value, spec.stratify);
            strata.push_back(stratum == nullptr ? "" : field_text(*stratum));
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
        if (strata.empty()) {
            draw(chosen, *spec.sample, spec.seed);
        } else {
            draw_stratified(chosen, strata, *spec.sample, spec.seed);
        }
    }
    if (chosen.empty()) {
        return Error(Code::validation, why_empty(spec));
    }
    items.count_ = static_cast<std::int64_t>(chosen.size());
    if (items.count_ < rows) {
        items.rows_ = std::move(chosen);
    }
    return items;
}

}  // namespace lab::engine
