#include "storage/store/datasets.h"

#include "base/text.h"
#include "storage/store/impl/queries.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace lab::storage {
namespace {

using domain::DatasetVersion;

constexpr std::size_t kHashPrefixMin = 8;

constexpr Query kAddDataset{"add_dataset", R"sql(
    INSERT INTO datasets (id, name, search, created_at, updated_at)
    VALUES ($1, $2, lower($2), $3, $3) ON CONFLICT (org, owner_id, name) DO NOTHING
)sql"};
constexpr Query kAddVersion{"add_dataset_version", R"sql(
    INSERT INTO dataset_versions (
        dataset, version, content_hash, row_count, byte_count, fields, source, created_at
    )
    SELECT d.key, COALESCE(MAX(v.version), 0) + 1, CAST($2 AS TEXT), CAST($3 AS BIGINT),
           CAST($4 AS BIGINT), CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS TEXT)
    FROM datasets d LEFT JOIN dataset_versions v ON v.dataset = d.key
    WHERE d.org = 1 AND d.owner_id = '' AND d.name = $1
    GROUP BY d.key
    ON CONFLICT (dataset, content_hash) DO NOTHING
)sql"};

// The columns of read_version(), in its order.
#define LAB_SELECT_VERSIONS                                                       \
    "SELECT d.id, d.name, v.version, v.content_hash, v.row_count, v.byte_count, " \
    "v.fields, v.source, v.created_at "                                           \
    "FROM dataset_versions v JOIN datasets d ON d.key = v.dataset "

constexpr Query kVersionByHash{
    "dataset_version_by_hash",
    LAB_SELECT_VERSIONS
    "WHERE d.org = 1 AND d.owner_id = '' AND d.name = $1 AND v.content_hash = $2"
};
constexpr Query kVersionByNumber{
    "dataset_version_by_number",
    LAB_SELECT_VERSIONS "WHERE d.org = 1 AND d.owner_id = '' AND d.name = $1 AND v.version = $2"
};
constexpr Query kLatestVersion{
    "latest_dataset_version",
    LAB_SELECT_VERSIONS
    "WHERE d.org = 1 AND d.owner_id = '' AND d.name = $1 ORDER BY v.version DESC LIMIT 1"
};
constexpr Query kVersionsByPrefix{
    "dataset_versions_by_prefix",
    LAB_SELECT_VERSIONS
    "WHERE v.content_hash >= $1 AND v.content_hash < $2 ORDER BY v.key DESC LIMIT 100"
};
constexpr Query kListVersions{
    "list_dataset_versions",
    LAB_SELECT_VERSIONS "WHERE d.org = 1 AND d.owner_id = '' ORDER BY d.name, v.version"
};
#undef LAB_SELECT_VERSIONS

constexpr Query kListNames{
    "list_dataset_names", "SELECT name FROM datasets WHERE org = 1 AND owner_id = '' ORDER BY name"
};

constexpr const Query* kQueries[] = {
    &kAddDataset,
    &kAddVersion,
    &kVersionByHash,
    &kVersionByNumber,
    &kLatestVersion,
    &kVersionsByPrefix,
    &kListVersions,
    &kListNames,
};

Result<DatasetVersion> read_version(const Row& row) {
    DatasetVersion out;
    out.dataset_id = row.text(0);
    out.name = row.text(1);
    out.version = row.integer(2);
    out.content_hash = row.text(3);
    out.rows = row.integer(4);
    out.bytes = row.integer(5);
    LAB_TRY(const Json fields, parse_json(row.text(6)));
    for (const Json& field : fields) {
        if (const auto* name = field.get_ptr<const std::string*>()) {
            out.fields.push_back(*name);
        }
    }
    out.source = row.text(7);
    out.created_at = row.text(8);
    return out;
}

Result<std::vector<DatasetVersion>> read_versions(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values
) {
    std::vector<DatasetVersion> out;
    LAB_CHECK(session.query(ctx, query, values, [&](const Row& row) -> Status {
        LAB_TRY(auto version, read_version(row));
        out.push_back(std::move(version));
        return ok();
    }));
    return out;
}

Result<std::optional<DatasetVersion>> find_version(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values
) {
    LAB_TRY(auto versions, read_versions(ctx, session, query, values));
    return versions.empty() ? std::nullopt : std::optional(std::move(versions.front()));
}

std::string fields_json(const std::vector<std::string>& fields) {
    std::string out = "[";
    for (const std::string& field : fields) {
        out += out.size() > 1 ? "," : "";
        append_json_string(out, field);
    }
    return out + "]";
}

/// "name@3" -> name and 3.
std::optional<std::pair<std::string_view, std::int64_t>> split_ref(std::string_view ref) {
    const std::size_t at = ref.rfind('@');
    if (at == std::string_view::npos || at == 0) {
        return std::nullopt;
    }
    const std::string_view digits = ref.substr(at + 1);
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
    if (error != std::errc() || end != digits.data() + digits.size() || number < 1) {
        return std::nullopt;
    }
    return std::pair(ref.substr(0, at), number);
}

bool is_hash_prefix(std::string_view ref) {
    return ref.size() >= kHashPrefixMin && ref.size() <= 64 && std::ranges::all_of(ref, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

/// Several versions may hold the same rows: then the newest stands for them.
Result<std::optional<DatasetVersion>> find_by_hash(
    const Ctx& ctx, Session& session, std::string_view prefix
) {
    const std::string end = std::string(prefix) + "~";
    const Value range[] = {prefix, std::string_view(end)};
    LAB_TRY(auto versions, read_versions(ctx, session, kVersionsByPrefix, range));
    if (versions.empty()) {
        return std::optional<DatasetVersion>();
    }
    const auto same = [&](const DatasetVersion& v) {
        return v.content_hash == versions.front().content_hash;
    };
    if (!std::ranges::all_of(versions, same)) {
        std::string text = "\"" + std::string(prefix) + "\" may be any of these:";
        for (const DatasetVersion& version : versions) {
            text += "\n  " + version.content_hash + "  " + version.name + "@" +
                    std::to_string(version.version);
        }
        return Error(Code::validation, std::move(text));
    }
    return std::optional(std::move(versions.front()));
}

/// Always an error: not_found, unless looking for the nearest name fails itself.
Status explain_missing(const Ctx& ctx, Session& session, std::string_view ref) {
    const auto parts = split_ref(ref);
    const std::string name(parts ? parts->first : ref);
    const Value by_name[] = {std::string_view(name)};
    LAB_TRY(const auto latest, find_version(ctx, session, kLatestVersion, by_name));
    if (latest && parts) {
        return Error(
            Code::not_found,
            "dataset \"" + name + "\" has no version " + std::to_string(parts->second) +
                ": the latest is " + std::to_string(latest->version)
        );
    }
    std::vector<std::string> names;
    LAB_CHECK(session.query(ctx, kListNames, {}, [&](const Row& row) {
        names.emplace_back(row.text(0));
        return ok();
    }));
    std::string text = "there is no dataset \"" + shorten(ref, 200) + "\"";
    const std::string near = nearest(name, names);
    if (!near.empty()) {
        text += ": did you mean \"" + near + "\"?";
    } else {
        text += ": `llm-research datasets imported` shows them";
    }
    return Error(Code::not_found, std::move(text));
}

}  // namespace

std::span<const Query* const> dataset_queries() { return kQueries; }

Result<DatasetVersion> Datasets::add_version(const Ctx& ctx, DatasetVersion version) {
    LAB_TRY(auto transaction, Transaction::begin(ctx, session_));
    LAB_CHECK(session_.hold(ctx, "datasets", 0));  // the next number is one higher
    const std::string_view name = version.name;
    const Value dataset[] = {
        std::string_view(version.dataset_id), name, std::string_view(version.created_at)
    };
    LAB_CHECK(session_.exec(ctx, kAddDataset, dataset));
    const std::string fields = fields_json(version.fields);
    const Value values[] = {
        name,
        std::string_view(version.content_hash),
        version.rows,
        version.bytes,
        std::string_view(fields),
        std::string_view(version.source),
        std::string_view(version.created_at),
    };
    LAB_CHECK(session_.exec(ctx, kAddVersion, values));
    const Value key[] = {name, std::string_view(version.content_hash)};
    LAB_TRY(auto stored, find_version(ctx, session_, kVersionByHash, key));
    LAB_ASSERT(stored.has_value(), "a version that was just added is found");
    LAB_CHECK(transaction.commit(ctx));
    return *std::move(stored);
}

Result<DatasetVersion> Datasets::get(const Ctx& ctx, std::string_view ref) {
    const Value by_name[] = {ref};
    LAB_TRY(auto found, find_version(ctx, session_, kLatestVersion, by_name));
    if (const auto parts = split_ref(ref); !found && parts) {
        const Value by_number[] = {parts->first, parts->second};
        LAB_TRY(found, find_version(ctx, session_, kVersionByNumber, by_number));
    }
    if (!found && is_hash_prefix(ref)) {
        LAB_TRY(found, find_by_hash(ctx, session_, ref));
    }
    if (!found) {
        return explain_missing(ctx, session_, ref).error();
    }
    return *std::move(found);
}

Result<std::vector<DatasetVersion>> Datasets::list(const Ctx& ctx) {
    return read_versions(ctx, session_, kListVersions, {});
}

}  // namespace lab::storage
