#pragma once
#include "platform/json/json.h"
#include "service/request.h"
#include "storage/store/resources.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

/// What can be done with every noun that people own and share (models, prompts, datasets,
/// experiments, evaluations): create, read, change, remove, list. A noun says in which it differs.
namespace lab::service {

struct Noun {
    std::string_view name;  ///< "model", for messages
    storage::ResourceKind kind;
    domain::Permission create;
    domain::Permission read;
    domain::Permission update;
    domain::Permission remove;
    /// Of a key: does instead of create, update and remove where its roles have them; empty = none.
    std::string_view or_scope = {};
    /// JSON Schema of what may be written, with what all nouns have (noun_schema).
    const Json* schema = nullptr;
    std::string_view first_status = "active";
    bool shows_status = false;
    /// Members of the body that the service writes and nobody else.
    std::vector<std::string_view> system_members = {};
    /// What the schema cannot say; may fill in what was left out. `before` is null for a new one.
    std::function<Status(const Request&, Json& body, const storage::Resource* before)> check = {};
    /// Columns beside the body, from the body.
    std::function<void(const Json& body, storage::Resource&)> fill_columns = {};
    /// Errors: conflict while something needs it, invalid_state.
    std::function<Status(const Request&, const storage::Resource&)> may_remove = {};
    /// Members that are computed when it is shown.
    std::function<Status(const Request&, const storage::Resource&, Json& shown)> decorate = {};
    /// In the transaction that made or changed it.
    std::function<Status(const Request&, const storage::Resource&, const Json& body)> written = {};
};

/// One as it is shown, and what its ETag is made of.
struct Shown {
    Json json;
    std::int64_t revision = 1;
    /// As it was, for the audit log; null for a new one.
    std::optional<Json> before = {};
};

/// A schema of own members with those of all nouns: name, description, visibility, collaborators,
/// tags, metadata. `required`: the own ones; name always is.
Json noun_schema(Json own_properties, std::vector<std::string> required);

/// Errors: validation; conflict with `existing_id` when the owner has one of this name; forbidden.
Result<Shown> create_noun(const Request& request, const Noun& noun, const Json& body);
/// Objects that one request may make at once.
inline constexpr std::size_t kBatchMax = 1000;
/// An array of 1 to kBatchMax of what `one` describes.
Json batch_schema(const Json& one);
/// One of several that are made together.
struct NewNoun {
    const Noun* noun = nullptr;
    Json body;
};
/// All or none, in one transaction; shown in the order given. Errors: as create_noun, with the
/// place in front ("[3].output"; others have it as `index`), every bad one at once.
Result<std::vector<Json>> create_nouns(const Request& request, const std::vector<NewNoun>& several);
/// The same of an array of bodies of one noun. Errors: also validation beyond 1 to kBatchMax.
Result<std::vector<Json>> create_nouns(
    const Request& request, const Noun& noun, const Json& bodies
);
/// Errors: not_found, also for what the caller may not see.
Result<Shown> get_noun(const Request& request, const Noun& noun, const std::string& id);
/// Replaces the members that are given; null takes an optional one away. `if_revision`: only over
/// this one. Errors: validation, not_found, forbidden, conflict, precondition_failed.
Result<Shown> update_noun(
    const Request& request,
    const Noun& noun,
    const std::string& id,
    const Json& changes,
    std::optional<std::int64_t> if_revision
);
Result<Json> remove_noun(
    const Request& request,
    const Noun& noun,
    const std::string& id,
    std::optional<std::int64_t> if_revision
);

struct NounList {
    std::vector<Json> rows;
    storage::RowCount total;
    bool more = false;
    std::optional<storage::ResourceCursor> last;
};
/// `counted` = false leaves `total` at 0: for who reads all of it anyhow.
Result<NounList> list_nouns(
    const Request& request,
    const Noun& noun,
    const storage::ResourceFilter& filter,
    const storage::ResourcePage& page,
    bool counted = true
);

/// For use cases that go on with one: found, visible, and the caller may do this to it.
Result<storage::Resource> need_noun(
    const Request& request, const Noun& noun, const std::string& id, domain::Deed deed
);
/// As it is shown. Errors: internal when the stored body is broken.
Result<Json> show_noun(const Request& request, const Noun& noun, const storage::Resource& one);
/// Changes status and system members (null takes one away), over the revision at hand. Errors:
/// conflict when it changed meanwhile.
Status set_noun_status(
    const Request& request,
    const Noun& noun,
    storage::Resource& one,
    std::string_view status,
    const Json& system_members
);

/// "there is no model with this id"
Error no_such(std::string_view noun);

}  // namespace lab::service
