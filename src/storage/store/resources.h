#pragma once
#include "domain/access.h"
#include "storage/store/row_count.h"
#include "storage/store/session.h"

#include <optional>
#include <string>
#include <vector>

/// The nouns that people own and share: what they have in common, stored in one way.
namespace lab::storage {

enum class ResourceKind : std::uint8_t { experiment, dataset, model, prompt, evaluation };

/// One of them. `body` is a JSON object with what is its kind's own.
struct Resource {
    std::int64_t key = 0;  ///< the store's own number
    std::string id;        ///< UUID
    std::int64_t org = 1;  ///< tenant
    std::string name;      ///< unique for its owner; evaluations may have none
    std::string status;
    domain::ObjectAccess access;
    std::vector<std::string> tags;  ///< [A-Za-z0-9_.:-]
    std::string search;             ///< lower-case text that `q` is looked up in
    std::string body = "{}";
    /// What lists of the kind are filtered by, beside `body`, which says the same: provider of
    /// models, format of datasets, evaluation_type of evaluations, and of these the run and its
    /// experiment.
    std::string facet;
    std::string kind;  ///< of evaluations: sample, run_summary, definition
    std::string experiment_id;
    std::string run_id;
    /// Of an experiment: the definition of an evaluation whose runs it carries. Such a one is the
    /// service's own: find, list and count know nothing of it.
    std::string evaluation_id;
    std::int64_t revision = 1;  ///< grows with every change: the ETag
    std::string created_at;
    std::string updated_at;
};

/// Who asks: rows of other tenants do not exist, and of the own one only what is visible.
struct Viewer {
    std::int64_t org = 1;
    std::string user;  ///< empty = nobody in particular
    bool is_admin = false;
};

enum class SortBy : std::uint8_t { created_at, updated_at, name };

/// Every condition that is set must hold.
struct ResourceFilter {
    std::optional<std::string> status;
    std::optional<std::string> owner;
    std::optional<std::string> name;
    std::optional<std::string> text;  ///< somewhere in `search`
    std::vector<std::string> tags;    ///< all of them
    std::optional<std::string> facet;
    std::optional<std::string> kind;           ///< evaluations only
    std::optional<std::string> experiment_id;  ///< evaluations only
    std::optional<std::string> run_id;         ///< evaluations only
    bool operator==(const ResourceFilter&) const = default;
};

/// Where a list goes on: behind this row.
struct ResourceCursor {
    std::string sort_value;
    std::string id;
};

struct ResourcePage {
    SortBy sort = SortBy::created_at;
    bool descending = true;
    std::int64_t limit = 20;
    std::int64_t offset = 0;
    std::optional<ResourceCursor> after;
};

struct ActiveExperiment {
    std::string id;
    std::string owner;  ///< empty = nobody in particular
};

struct ResourceListing {
    std::vector<Resource> rows;
    RowCount total;
};

/// Borrows the session; same thread rule.
class Resources {
  public:
    Resources(Session& session, ResourceKind kind);
    /// Gives it its key. Errors: conflict when the owner has one of this name.
    Status create(const Ctx& ctx, Resource& resource);
    /// nullopt: there is none, or it is not for this viewer's eyes.
    Result<std::optional<Resource>> find(const Ctx& ctx, const Viewer& viewer, std::string_view id);
    /// Whoever it belongs to: for the service's own work, never for an answer.
    Result<std::optional<Resource>> find_anywhere(const Ctx& ctx, std::string_view id);
    /// Of one owner, whoever asks. For telling which one a name conflicts with.
    Result<std::optional<Resource>> find_named(
        const Ctx& ctx, std::int64_t org, std::string_view owner, std::string_view name
    );
    /// Writes all of it over revision `resource.revision` and makes that one more. false: somebody
    /// else changed or removed it meanwhile. Errors: conflict when the owner has one of this name.
    Result<bool> update(const Ctx& ctx, Resource& resource);
    /// false: it is gone already. Errors: conflict while something refers to it.
    Result<bool> remove(const Ctx& ctx, const Resource& resource);
    Result<std::vector<Resource>> list(
        const Ctx& ctx, const Viewer& viewer, const ResourceFilter& filter, const ResourcePage& page
    );
    /// A page, and how many the filter lets through in all.
    Result<ResourceListing> list_and_count(
        const Ctx& ctx, const Viewer& viewer, const ResourceFilter& filter, const ResourcePage& page
    );
    /// Of experiments, also those that carry runs of evaluations: who has runs between two times
    /// (RFC 3339), and that the viewer may see. By id.
    Result<std::vector<ActiveExperiment>> list_active(
        const Ctx& ctx,
        const Viewer& viewer,
        std::string_view from,
        std::string_view to,
        std::int64_t limit
    );

  private:
    Session& session_;
    ResourceKind kind_;
};

}  // namespace lab::storage
