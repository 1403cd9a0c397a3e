#include "storage/store/resources.h"

#include "storage/store/impl/count_rows.h"
#include "storage/store/impl/list_text.h"
#include "storage/store/impl/outbox_notes.h"
#include "storage/store/impl/queries.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>

namespace lab::storage {
namespace {

// The columns of read_resource(), in its order.
#define LAB_RESOURCE_COLUMNS                                                          \
    "key, id, org, name, status, owner_id, collaborators, visibility, tags, search, " \
    "body, revision, created_at, updated_at "

// Whether the viewer ($1 org, $2 user, $3 pattern of the user, $4 1 for admins) may see a row.
#define LAB_VISIBLE                                               \
    "org = $1 AND (visibility = 'org' OR CAST($4 AS BIGINT) = 1 " \
    "OR (owner_id = CAST($2 AS TEXT) AND owner_id <> '') "        \
    "OR collaborators LIKE CAST($3 AS TEXT) ESCAPE '\\') "

// One optional condition: no value, no condition.
#define LAB_IF(parameter, condition) "AND (CAST(" parameter " AS TEXT) IS NULL OR " condition ") "

// `own`: what else a row of the table must be.
#define LAB_MATCHES(own, facet, kind, experiment, run)                                    \
    LAB_VISIBLE own LAB_IF("$5", "status = $5") LAB_IF("$6", "owner_id = $6")             \
        LAB_IF("$7", "name = $7") LAB_IF("$8", "search LIKE $8 ESCAPE '\\'")              \
            LAB_IF("$9", "lower(tags) LIKE $9 ESCAPE '\\'") LAB_IF("$10", facet " = $10") \
                LAB_IF("$11", experiment " = $11") LAB_IF("$12", run " = $12")            \
                    LAB_IF("$13", kind " = $13")

#define LAB_LIST(table, matches, sort, order, sign)                                        \
    "SELECT " LAB_RESOURCE_COLUMNS "FROM " table " WHERE " matches                         \
    "AND (CAST($14 AS TEXT) IS NULL OR (" sort ", id) " sign " ($14, $15)) ORDER BY " sort \
    " " order ", id " order " LIMIT $16 OFFSET $17"

// Without any condition, which is what is asked for most. PostgreSQL plans anew for each LIMIT that
// is a parameter, which takes as long as the rest; of one that is a query it knows nothing, and
// keeps its plan.
#define LAB_PLAIN_LIST(table, own, sort, order)                                             \
    "SELECT " LAB_RESOURCE_COLUMNS "FROM " table " WHERE " LAB_VISIBLE own "ORDER BY " sort \
    " " order ", id " order                                                                 \
    " LIMIT (SELECT CAST($5 AS BIGINT)) OFFSET (SELECT CAST($6 AS BIGINT))"

/// The statements of one kind.
struct Statements {
    Query create;
    Query find;
    Query find_anywhere;
    Query find_named;
    Query update;
    Query remove;
    Query count;
    std::array<Query, 6> lists;  ///< by SortBy, each ascending and descending
    Query plain_count;
    std::array<Query, 6> plain_lists;  ///< as lists; first pages only
};

#define LAB_STATEMENTS(name, table, own, matches, columns, values, changes)                        \
    {                                                                                              \
        .create =                                                                                  \
            {"create_" name,                                                                       \
             "INSERT INTO " table                                                                  \
             " (id, org, name, status, owner_id, collaborators, visibility, tags, search, "        \
             "body, revision, created_at, updated_at" columns ") VALUES ($1, $2, $3, $4, $5, "     \
             "$6, $7, $8, $9, $10, $11, $12, $13" values ") RETURNING key"},                       \
        .find =                                                                                    \
            {"find_" name,                                                                         \
             "SELECT " LAB_RESOURCE_COLUMNS "FROM " table " WHERE " LAB_VISIBLE own                \
             "AND id = $5"},                                                                       \
        .find_anywhere =                                                                           \
            {"find_anywhere_" name, "SELECT " LAB_RESOURCE_COLUMNS "FROM " table " WHERE id = $1"  \
            },                                                                                     \
        .find_named =                                                                              \
            {"find_named_" name,                                                                   \
             "SELECT " LAB_RESOURCE_COLUMNS "FROM " table                                          \
             " WHERE org = $1 AND owner_id = $2 AND name = $3"},                                   \
        .update =                                                                                  \
            {"update_" name,                                                                       \
             "UPDATE " table                                                                       \
             " SET name = $3, status = $4, owner_id = $5, collaborators = $6, visibility = $7, "   \
             "tags = $8, search = $9, body = $10, revision = revision + 1, updated_at = "          \
             "$11" changes " "                                                                     \
             "WHERE key = $1 AND revision = $2"},                                                  \
        .remove = {"remove_" name, "DELETE FROM " table " WHERE key = $1"},                        \
        .count = {"count_" name, LAB_COUNT_ROWS("FROM " table " WHERE " matches)},                 \
        .lists = {{                                                                                \
            {"list_" name "_by_created", LAB_LIST(table, matches, "created_at", "ASC", ">")},      \
            {"list_" name "_by_created_desc", LAB_LIST(table, matches, "created_at", "DESC", "<")  \
            },                                                                                     \
            {"list_" name "_by_updated", LAB_LIST(table, matches, "updated_at", "ASC", ">")},      \
            {"list_" name "_by_updated_desc", LAB_LIST(table, matches, "updated_at", "DESC", "<")  \
            },                                                                                     \
            {"list_" name "_by_name", LAB_LIST(table, matches, "name", "ASC", ">")},               \
            {"list_" name "_by_name_desc", LAB_LIST(table, matches, "name", "DESC", "<")},         \
        }},                                                                                        \
        .plain_count =                                                                             \
            {"count_all_" name, LAB_COUNT_ROWS("FROM " table " WHERE " LAB_VISIBLE own)},          \
        .plain_lists = {{                                                                          \
            {"list_all_" name "_by_created", LAB_PLAIN_LIST(table, own, "created_at", "ASC")},     \
            {"list_all_" name "_by_created_desc", LAB_PLAIN_LIST(table, own, "created_at", "DESC") \
            },                                                                                     \
            {"list_all_" name "_by_updated", LAB_PLAIN_LIST(table, own, "updated_at", "ASC")},     \
            {"list_all_" name "_by_updated_desc", LAB_PLAIN_LIST(table, own, "updated_at", "DESC") \
            },                                                                                     \
            {"list_all_" name "_by_name", LAB_PLAIN_LIST(table, own, "name", "ASC")},              \
            {"list_all_" name "_by_name_desc", LAB_PLAIN_LIST(table, own, "name", "DESC")},        \
        }},                                                                                        \
    }

// Those that the service keeps for itself belong to no list.
#define LAB_OF_PEOPLE "AND evaluation_id = '' "

// By ResourceKind. A kind without a facet compares with nothing, which never holds.
constexpr std::array<Statements, 5> kStatements{{
    LAB_STATEMENTS(
        "experiment",
        "experiments",
        LAB_OF_PEOPLE,
        LAB_MATCHES(LAB_OF_PEOPLE, "''", "''", "''", "''"),
        ", evaluation_id",
        ", $14",
        ""
    ),
    LAB_STATEMENTS(
        "dataset",
        "datasets",
        "",
        LAB_MATCHES("", "format", "''", "''", "''"),
        ", format",
        ", $14",
        ", format = $12"
    ),
    LAB_STATEMENTS(
        "model",
        "models",
        "",
        LAB_MATCHES("", "provider", "''", "''", "''"),
        ", provider",
        ", $14",
        ", provider = $12"
    ),
    LAB_STATEMENTS(
        "prompt", "prompt_templates", "", LAB_MATCHES("", "''", "''", "''", "''"), "", "", ""
    ),
    LAB_STATEMENTS(
        "evaluation",
        "evaluations",
        "",
        LAB_MATCHES("", "evaluation_type", "kind", "experiment_id", "run_id"),
        ", evaluation_type, kind, experiment_id, run_id",
        ", $14, $15, $16, $17",
        ", evaluation_type = $12, kind = $13, experiment_id = $14, run_id = $15"
    ),
}};

const Statements& statements(ResourceKind kind) {
    return kStatements[static_cast<std::size_t>(kind)];
}

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '%' || c == '_' || c == '\\') {
            out += '\\';
        }
        out += c;
    }
    return out;
}

/// A pattern that finds lists which hold all of these, whatever the case of A to Z: LIKE of SQLite
/// does not tell it, that of PostgreSQL does; lower() of both changes these letters alone.
std::string list_pattern(std::vector<std::string> words) {
    std::ranges::sort(words);
    std::string out = "%";
    for (const std::string& word : words) {
        out += ";" + escaped(word) + ";%";
    }
    for (char& c : out) {
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    }
    return out;
}

Value optional_text(const std::optional<std::string>& text) {
    return text ? Value(std::string_view(*text)) : Value(nullptr);
}

/// The columns that only some kinds have.
void append_facets(ResourceKind kind, const Resource& resource, std::vector<Value>& values) {
    if (kind == ResourceKind::prompt) {
        return;
    }
    const bool experiment = kind == ResourceKind::experiment;
    values.emplace_back(std::string_view(experiment ? resource.evaluation_id : resource.facet));
    if (kind == ResourceKind::evaluation) {
        values.emplace_back(std::string_view(resource.kind));
        values.emplace_back(std::string_view(resource.experiment_id));
        values.emplace_back(std::string_view(resource.run_id));
    }
}

Result<Resource> read_resource(const Row& row) {
    Resource out;
    out.key = row.integer(0);
    out.id = row.text(1);
    out.org = row.integer(2);
    out.name = row.text(3);
    out.status = row.text(4);
    out.access.owner = row.text(5);
    out.access.collaborators = split_words(row.text(6));
    const auto visibility = domain::visibility_from(row.text(7));
    if (!visibility) {
        return Error(Code::internal, "a stored object has an unknown visibility");
    }
    out.access.visibility = *visibility;
    out.tags = split_words(row.text(8));
    out.search = row.text(9);
    out.body = row.text(10);
    out.revision = row.integer(11);
    out.created_at = row.text(12);
    out.updated_at = row.text(13);
    return out;
}

/// The bound values of a viewer and a filter; what they point at lives here.
class Conditions {
  public:
    Conditions(const Viewer& viewer, const ResourceFilter& filter)
        : viewer_(viewer), filter_(filter), user_pattern_(pattern_of(viewer.user)) {
        if (filter.text) {
            text_pattern_ = "%" + escaped(*filter.text) + "%";
        }
        if (!filter.tags.empty()) {
            tags_pattern_ = list_pattern(filter.tags);
        }
    }
    /// `is_plain`: those of the viewer alone.
    std::vector<Value> values(bool is_plain) const {
        std::vector<Value> out{
            viewer_.org,
            std::string_view(viewer_.user),
            std::string_view(user_pattern_),
            std::int64_t{viewer_.is_admin ? 1 : 0},
        };
        if (!is_plain) {
            for (const auto* const condition :
                 {&filter_.status,
                  &filter_.owner,
                  &filter_.name,
                  &text_pattern_,
                  &tags_pattern_,
                  &filter_.facet,
                  &filter_.experiment_id,
                  &filter_.run_id,
                  &filter_.kind}) {
                out.push_back(optional_text(*condition));
            }
        }
        return out;
    }
    /// Nobody in particular is nobody's collaborator.
    static std::string pattern_of(const std::string& user) {
        return user.empty() ? std::string(";;") : "%;" + escaped(user) + ";%";
    }

  private:
    const Viewer& viewer_;
    const ResourceFilter& filter_;
    std::string user_pattern_;
    std::optional<std::string> text_pattern_;
    std::optional<std::string> tags_pattern_;
};

const Query& list_query(ResourceKind kind, const ResourcePage& page, bool is_plain) {
    const std::size_t which = 2 * static_cast<std::size_t>(page.sort) + (page.descending ? 1 : 0);
    return is_plain ? statements(kind).plain_lists[which] : statements(kind).lists[which];
}

std::vector<Value> page_values(
    const Conditions& conditions, const ResourcePage& page, bool is_plain
) {
    std::vector<Value> values = conditions.values(is_plain);
    if (!is_plain) {
        const auto& after = page.after;
        values.push_back(after ? Value(std::string_view(after->sort_value)) : Value(nullptr));
        values.push_back(after ? Value(std::string_view(after->id)) : Value(nullptr));
    }
    values.emplace_back(page.limit);
    values.emplace_back(page.offset);
    return values;
}

Result<std::vector<Resource>> read_all(
    const Ctx& ctx, Session& session, const Query& query, std::span<const Value> values
) {
    std::vector<Resource> out;
    LAB_CHECK(session.query(ctx, query, values, [&](const Row& row) -> Status {
        LAB_TRY(out.emplace_back(), read_resource(row));
        return ok();
    }));
    return out;
}

constexpr std::array<Query, 1> kOfExperiments{{
    {"active_experiments",
     "SELECT id, owner_id FROM experiments WHERE " LAB_VISIBLE
     "AND EXISTS (SELECT 1 FROM runs r WHERE r.experiment = experiments.key AND "
     "(r.origin = 'client' OR (r.created_at < CAST($6 AS TEXT) AND (r.completed_at IS NULL "
     "OR r.completed_at >= CAST($5 AS TEXT))))) ORDER BY id LIMIT $7"},
}};

std::string payload_of(const Resource& experiment) {
    return dump_json(Json{
        {"name", experiment.name},
        {"owner_id", experiment.access.owner},
        {"status", experiment.status}
    });
}

/// What is noted of an experiment is what became of it: "experiment_" and its state, when that is
/// another than before.
Result<bool> update_experiment(
    const Ctx& ctx, Session& session, Resource& resource, std::span<const Value> values
) {
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session));
    LAB_TRY(const std::string before, notes.status_of_experiment(ctx, resource.key));
    LAB_TRY(
        const std::int64_t changed,
        session.exec(ctx, statements(ResourceKind::experiment).update, values)
    );
    if (changed == 1 && notes.kept() && before != resource.status) {
        const std::string type =
            "experiment_" + (resource.status == "running" ? "started" : resource.status);
        LAB_CHECK(notes.experiment_event(
            ctx, resource.key, type, resource.updated_at, payload_of(resource)
        ));
    }
    LAB_CHECK(notes.commit(ctx));
    resource.revision += changed;
    return changed == 1;
}

Result<bool> remove_experiment(const Ctx& ctx, Session& session, const Resource& resource) {
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session));
    const std::string at = format_rfc3339(ctx.clock().wall());
    LAB_CHECK(notes.experiment_event(ctx, resource.key, "experiment_deleted", at, "{}"));
    const Value key[] = {resource.key};
    LAB_TRY(
        const std::int64_t gone, session.exec(ctx, statements(ResourceKind::experiment).remove, key)
    );
    LAB_CHECK(notes.commit(ctx));
    return gone == 1;
}

std::optional<Resource> first_of(std::vector<Resource> found) {
    return found.empty() ? std::nullopt : std::optional(std::move(found.front()));
}

}  // namespace

std::vector<const Query*> resource_queries() {
    std::vector<const Query*> out{&kOfExperiments[0]};
    for (const Statements& kind : kStatements) {
        for (const Query* query :
             {&kind.create,
              &kind.find,
              &kind.find_anywhere,
              &kind.find_named,
              &kind.update,
              &kind.remove,
              &kind.count,
              &kind.plain_count}) {
            out.push_back(query);
        }
        for (const auto& lists : {std::span(kind.lists), std::span(kind.plain_lists)}) {
            for (const Query& query : lists) {
                out.push_back(&query);
            }
        }
    }
    return out;
}

Resources::Resources(Session& session, ResourceKind kind) : session_(session), kind_(kind) {}

Status Resources::create(const Ctx& ctx, Resource& resource) {
    const std::string collaborators = join_words(resource.access.collaborators);
    const std::string tags = join_words(resource.tags);
    std::vector<Value> values = {
        std::string_view(resource.id),
        resource.org,
        std::string_view(resource.name),
        std::string_view(resource.status),
        std::string_view(resource.access.owner),
        std::string_view(collaborators),
        to_string(resource.access.visibility),
        std::string_view(tags),
        std::string_view(resource.search),
        std::string_view(resource.body),
        resource.revision,
        std::string_view(resource.created_at),
        std::string_view(resource.updated_at),
    };
    append_facets(kind_, resource, values);
    const auto insert = [&] {
        return session_.query(ctx, statements(kind_).create, values, [&](const Row& row) {
            resource.key = row.integer(0);
            return ok();
        });
    };
    if (kind_ != ResourceKind::experiment) {
        return insert();
    }
    LAB_TRY(auto notes, OutboxNotes::begin(ctx, session_));
    LAB_CHECK(insert());
    LAB_CHECK(notes.experiment_event(
        ctx, resource.key, "experiment_created", resource.created_at, payload_of(resource)
    ));
    return notes.commit(ctx);
}

Result<std::optional<Resource>> Resources::find(
    const Ctx& ctx, const Viewer& viewer, std::string_view id
) {
    const std::string pattern = Conditions::pattern_of(viewer.user);
    const Value values[] = {
        viewer.org,
        std::string_view(viewer.user),
        std::string_view(pattern),
        std::int64_t{viewer.is_admin ? 1 : 0},
        id,
    };
    LAB_TRY(auto found, read_all(ctx, session_, statements(kind_).find, values));
    return first_of(std::move(found));
}

Result<std::optional<Resource>> Resources::find_anywhere(const Ctx& ctx, std::string_view id) {
    const Value values[] = {id};
    LAB_TRY(auto found, read_all(ctx, session_, statements(kind_).find_anywhere, values));
    return first_of(std::move(found));
}

Result<std::optional<Resource>> Resources::find_named(
    const Ctx& ctx, std::int64_t org, std::string_view owner, std::string_view name
) {
    const Value values[] = {org, owner, name};
    LAB_TRY(auto found, read_all(ctx, session_, statements(kind_).find_named, values));
    return first_of(std::move(found));
}

Result<bool> Resources::update(const Ctx& ctx, Resource& resource) {
    const std::string collaborators = join_words(resource.access.collaborators);
    const std::string tags = join_words(resource.tags);
    std::vector<Value> values = {
        resource.key,
        resource.revision,
        std::string_view(resource.name),
        std::string_view(resource.status),
        std::string_view(resource.access.owner),
        std::string_view(collaborators),
        to_string(resource.access.visibility),
        std::string_view(tags),
        std::string_view(resource.search),
        std::string_view(resource.body),
        std::string_view(resource.updated_at),
    };
    if (kind_ == ResourceKind::experiment) {  // whose runs it carries never changes
        return update_experiment(ctx, session_, resource, values);
    }
    append_facets(kind_, resource, values);
    LAB_TRY(const std::int64_t changed, session_.exec(ctx, statements(kind_).update, values));
    resource.revision += changed;
    return changed == 1;
}

Result<bool> Resources::remove(const Ctx& ctx, const Resource& resource) {
    const Value values[] = {resource.key};
    if (kind_ == ResourceKind::experiment) {
        return remove_experiment(ctx, session_, resource);
    }
    LAB_TRY(const std::int64_t gone, session_.exec(ctx, statements(kind_).remove, values));
    return gone == 1;
}

Result<std::vector<Resource>> Resources::list(
    const Ctx& ctx, const Viewer& viewer, const ResourceFilter& filter, const ResourcePage& page
) {
    const Conditions conditions(viewer, filter);
    const bool is_plain = filter == ResourceFilter{} && !page.after;
    const std::vector<Value> values = page_values(conditions, page, is_plain);
    return read_all(ctx, session_, list_query(kind_, page, is_plain), values);
}

Result<ResourceListing> Resources::list_and_count(
    const Ctx& ctx, const Viewer& viewer, const ResourceFilter& filter, const ResourcePage& page
) {
    const Conditions conditions(viewer, filter);
    const bool is_first = !page.after;
    const bool is_plain = filter == ResourceFilter{};
    const std::vector<Value> of_page = page_values(conditions, page, is_plain && is_first);
    const std::vector<Value> of_count = conditions.values(is_plain);
    const Statements& kind = statements(kind_);
    ResourceListing out;
    const Asked asked[] = {
        {list_query(kind_, page, is_plain && is_first),
         of_page,
         [&](const Row& row) -> Status {
             LAB_TRY(out.rows.emplace_back(), read_resource(row));
             return ok();
         }},
        {is_plain ? kind.plain_count : kind.count,
         of_count,
         [&](const Row& row) {
             out.total = read_count(row);
             return ok();
         }},
    };
    LAB_CHECK(session_.query_all(ctx, asked));
    return out;
}

Result<std::vector<ActiveExperiment>> Resources::list_active(
    const Ctx& ctx,
    const Viewer& viewer,
    std::string_view from,
    std::string_view to,
    std::int64_t limit
) {
    LAB_ASSERT(kind_ == ResourceKind::experiment, "only experiments have runs");
    const std::string pattern = Conditions::pattern_of(viewer.user);
    const Value values[] = {
        viewer.org,
        std::string_view(viewer.user),
        std::string_view(pattern),
        std::int64_t{viewer.is_admin ? 1 : 0},
        from,
        to,
        limit,
    };
    std::vector<ActiveExperiment> out;
    LAB_CHECK(session_.query(ctx, kOfExperiments[0], values, [&](const Row& row) {
        out.push_back({.id = std::string(row.text(0)), .owner = std::string(row.text(1))});
        return ok();
    }));
    return out;
}

}  // namespace lab::storage
