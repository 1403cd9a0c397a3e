#include "service/platform_datasets.h"

#include "base/text.h"
#include "base/uuid.h"
#include "domain/spec_parse.h"
#include "platform/json/schema.h"
#include "platform/json/usable_schema.h"
#include "service/impl/dataset_rows.h"
#include "service/uses.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace lab::service {
namespace {

using domain::Deed;
using storage::DatasetVersions;
using storage::Resource;
using storage::StoredRows;

constexpr std::string_view kFirstStatus = "pending_upload";

Json text_schema(int length_max) { return {{"type", "string"}, {"maxLength", length_max}}; }

Json closed_object(Json properties) {
    return {
        {"type", "object"},
        {"properties", std::move(properties)},
        {"additionalProperties", false},
    };
}

/// What may be said of a version.
Json version_properties() {
    Json out = Json::object();
    out["version"] = {
        {"type", "string"},
        {"pattern", "^[A-Za-z0-9_][A-Za-z0-9_.+:-]{0,63}$"},
        {"x-hint", "a label such as 1.1.0: letters, digits and _ . + : -"},
    };
    out["description"] = text_schema(10'000);
    out["changelog"] = text_schema(10'000);
    return out;
}

const Json& schema() {
    static const Json kSchema = [] {
        Json own = Json::object();
        own["format"] = {{"enum", {"jsonl", "json", "csv", "tsv", "parquet", "text"}}};
        own["schema"] = {{"type", "object"}};
        own["s3_path"] = {
            {"type", "string"},
            {"maxLength", 1024},
            {"pattern", "^[A-Za-z0-9_][A-Za-z0-9_.=/-]*$"},
            {"x-hint", "a path of letters, digits and _ . = / - that begins with none of . = / -"},
        };
        return noun_schema(std::move(own), {});
    }();
    return kSchema;
}

Status check_dataset(const Request&, Json& body, const Resource*) {
    body.emplace("format", "jsonl");
    std::vector<Detail> problems;
    const std::string path = "/" + body.value("s3_path", "x") + "/";
    if (path.find("/../") != std::string::npos || path.find("//") != std::string::npos) {
        problems.push_back({"s3_path", "must not leave its folder: no \"..\" and no empty parts"});
    }
    if (const auto rows = body.find("schema"); rows != body.end()) {
        if (const auto usable = usable_schema(*rows, "schema"); !usable) {
            problems.insert(
                problems.end(), usable.error().details.begin(), usable.error().details.end()
            );
        }
    }
    if (!problems.empty()) {
        return Error(Code::validation, "the dataset cannot be as given", std::move(problems));
    }
    return ok();
}

Status decorate(const Request& request, const Resource& one, Json& shown) {
    LAB_TRY(const auto rows, rows_in_use(request, one));
    shown.erase(kRowsInUse);
    shown.erase(kPlannedVersion);
    shown.emplace("schema", nullptr);
    shown.emplace("format", "jsonl");
    shown["version"] = rows ? Json(rows->version) : Json();
    shown["row_count"] = rows ? Json(rows->rows) : Json();
    shown["sample_count"] = shown["row_count"];
    shown["size_bytes"] = rows ? Json(rows->bytes) : Json();
    shown["content_hash"] = rows ? Json(rows->content_hash) : Json();
    shown.emplace("s3_path", bucket_path(one.id, rows ? rows->version : 1));
    return ok();
}

Error no_rows(const Resource& dataset) {
    return {Code::invalid_state, "no data has arrived yet", {{"current", dataset.status}}};
}

/// `wanted`: a number, an id or a label; empty = the rows in use.
Result<StoredRows> need_rows(
    const Request& request, const Resource& dataset, const std::string& wanted
) {
    std::optional<StoredRows> found;
    DatasetVersions versions(request.session);
    if (wanted.empty()) {
        LAB_TRY(found, rows_in_use(request, dataset));
        return found ? *std::move(found) : Result<StoredRows>(no_rows(dataset));
    }
    std::int64_t number = 0;
    const char* const end = wanted.data() + wanted.size();
    const auto parsed = std::from_chars(wanted.data(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end) {
        LAB_TRY(found, versions.find_number(request.ctx, dataset.key, number));
    } else if (is_uuid(wanted)) {
        LAB_TRY(found, find_rows_by_id(request, dataset, to_lower(wanted)));
    } else {
        LAB_TRY(found, versions.find_labelled(request.ctx, dataset.key, wanted));
    }
    if (!found) {
        return Error(Code::not_found, "the dataset has no such version");
    }
    return *std::move(found);
}

struct Found {
    Resource dataset;
    StoredRows rows;
};
/// To send out.
Result<Found> find_rows(const Request& request, const std::string& id, const std::string& version) {
    LAB_CHECK(require(request.caller, domain::Permission::read_dataset));
    LAB_CHECK(require(request.caller, domain::Permission::export_data));
    Found out;
    LAB_TRY(out.dataset, need_noun(request, dataset_noun(), id, Deed::read));
    LAB_TRY(out.rows, need_rows(request, out.dataset, version));
    return out;
}

/// Of a file name or a content type; empty when neither tells.
std::string announced_format(const Json& body) {
    if (body.contains("format")) {
        return body["format"].get<std::string>();
    }
    const std::string name = body.value("filename", "");
    const std::string by_name = domain::format_of_path(name);
    if (!by_name.empty()) {
        return by_name;
    }
    const std::string whole = body.value("content_type", "");
    const std::string type = to_lower(trim(whole.substr(0, whole.find(';'))));
    constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
        {"application/json", "json"},
        {"application/jsonl", "jsonl"},
        {"application/x-jsonl", "jsonl"},
        {"application/jsonlines", "jsonl"},
        {"application/x-ndjson", "jsonl"},
        {"application/ndjson", "jsonl"},
        {"text/csv", "csv"},
        {"text/tab-separated-values", "tsv"},
        {"application/vnd.apache.parquet", "parquet"},
        {"application/x-parquet", "parquet"},
        {"application/parquet", "parquet"},
    };
    for (const auto& [known, format] : kTypes) {
        if (type == known) {
            return std::string(format);
        }
    }
    return "";
}

Result<Json> checked_body(const Json& body, const Json& wanted) {
    std::vector<Detail> problems = check_schema(body, wanted);
    if (!problems.empty()) {
        return Error(Code::validation, "the body cannot be taken as it is", std::move(problems));
    }
    return body;
}

}  // namespace

const Noun& dataset_noun() {
    using enum domain::Permission;
    static const Noun kNoun{
        .name = "dataset",
        .kind = storage::ResourceKind::dataset,
        .create = create_dataset,
        .read = read_dataset,
        .update = update_dataset,
        .remove = delete_dataset,
        .schema = &schema(),
        .first_status = kFirstStatus,
        .shows_status = true,
        .system_members = {kRowsInUse, kPlannedVersion, kProblem},
        .check = check_dataset,
        .fill_columns = [](const Json& body,
                           Resource& one) { one.facet = body.value("format", "jsonl"); },
        .may_remove = [](const Request& request, const Resource& one
                      ) { return refuse_while_used(request, "dataset", one); },
        .decorate = decorate,
    };
    return kNoun;
}

const Json& version_plan_schema() {
    static const Json kSchema = closed_object(version_properties());
    return kSchema;
}

const Json& upload_schema() {
    static const Json kSchema = [] {
        Json properties = version_properties();
        properties["filename"] = text_schema(255);
        properties["content_type"] = text_schema(255);
        properties["format"] = {{"enum", {"jsonl", "json", "csv", "tsv", "parquet", "text"}}};
        properties["size_bytes"] = {{"type", "integer"}, {"minimum", 1}};
        return closed_object(std::move(properties));
    }();
    return kSchema;
}

std::string bucket_path(const std::string& dataset_id, std::int64_t version) {
    return "datasets/" + dataset_id + "/" + std::to_string(version) + "/data.jsonl";
}

Result<std::string> latest_rows(const Request& request, const std::string& dataset_id) {
    LAB_TRY(const Resource one, need_noun(request, dataset_noun(), dataset_id, Deed::read));
    LAB_TRY(StoredRows rows, need_rows(request, one, ""));
    return std::move(rows.content_hash);
}

Result<StoredRows> rows_of_version(
    const Request& request, const std::string& dataset_id, const std::string& version
) {
    LAB_TRY(const Resource one, need_noun(request, dataset_noun(), dataset_id, Deed::read));
    return need_rows(request, one, version == "latest" ? "" : version);
}

Result<std::string> rows_file(const Request& request, const std::string& dataset_id) {
    LAB_TRY(const std::string hash, latest_rows(request, dataset_id));
    LAB_TRY(storage::ObjectFolder * objects, request.deps.objects());
    return objects->fetch(request.ctx, storage::rows_object(hash));
}

Result<Json> plan_version(const Request& request, const std::string& id, const Json& body) {
    LAB_CHECK(require(request.caller, dataset_noun().update));
    LAB_TRY(Json plan, checked_body(body, version_plan_schema()));
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    LAB_TRY(Resource one, need_noun(request, dataset_noun(), id, Deed::update));
    LAB_CHECK(check_label(request, one, plan.value("version", "")));
    plan["created_by"] = request.caller.user_id;
    plan["created_at"] = format_rfc3339(request.deps.clock->wall());
    const Json members = {{kPlannedVersion, plan}};
    LAB_CHECK(set_noun_status(request, dataset_noun(), one, one.status, members));
    LAB_TRY(const auto newest, DatasetVersions(request.session).find_latest(request.ctx, one.key));
    LAB_CHECK(transaction.commit(request.ctx));
    return show_planned(one, plan, newest ? newest->version + 1 : 1);
}

Result<VersionList> list_versions(
    const Request& request,
    const std::string& id,
    std::optional<std::int64_t> below,
    std::int64_t limit,
    std::int64_t offset
) {
    LAB_CHECK(require(request.caller, dataset_noun().read));
    LAB_TRY(const Resource one, need_noun(request, dataset_noun(), id, Deed::read));
    LAB_TRY(const Json body, parse_json(one.body));
    const auto plan = body.find(kPlannedVersion);
    DatasetVersions versions(request.session);
    LAB_TRY(const auto newest, versions.find_latest(request.ctx, one.key));
    const std::int64_t arrived = newest ? newest->version : 0;  // none is ever removed
    constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
    const std::int64_t end = below.value_or(kNone);
    // The planned one takes the first place of the list.
    const bool planned = plan != body.end() && end > arrived + 1;
    const bool shows_plan = planned && offset == 0 && limit > 0;
    LAB_TRY(
        auto found,
        versions.list(
            request.ctx,
            one.key,
            limit + 1 - (shows_plan ? 1 : 0),
            offset - (planned && offset > 0 ? 1 : 0),
            end
        )
    );
    VersionList out;
    out.total = arrived + (plan != body.end() ? 1 : 0);
    if (shows_plan) {
        LAB_TRY(out.rows.emplace_back(), show_planned(one, *plan, arrived + 1));
        out.last = arrived + 1;
    }
    for (const StoredRows& rows : found) {
        if (std::ssize(out.rows) == limit) {
            out.more = true;
            break;
        }
        LAB_TRY(out.rows.emplace_back(), show_rows(one.id, rows));
        out.last = rows.version;
    }
    return out;
}

Result<DatasetLink> prepare_upload(
    const Request& request, const std::string& id, const Json& body
) {
    LAB_CHECK(require(request.caller, dataset_noun().update));
    LAB_TRY(const Json said, checked_body(body, upload_schema()));
    LAB_TRY(const Resource one, need_noun(request, dataset_noun(), id, Deed::update));
    LAB_TRY(const Json stored, parse_json(one.body));
    DatasetLink out{.use = DatasetLink::Use::upload};
    out.holder = address_holder(request.caller);
    out.dataset_id = one.id;
    const std::string announced = announced_format(said);
    out.format = announced.empty() ? stored.value("format", "jsonl") : announced;
    LAB_CHECK(check_format(out.format));
    LAB_TRY(const auto newest, DatasetVersions(request.session).find_latest(request.ctx, one.key));
    out.version = newest ? newest->version + 1 : 1;
    out.bytes = said.value("size_bytes", std::int64_t{0});
    out.source = said.value("filename", "");
    out.label = said.value("version", "");
    out.description = said.value("description", "");
    out.changelog = said.value("changelog", "");
    return out;
}

Result<DatasetLink> prepare_download(
    const Request& request, const std::string& id, const std::string& version
) {
    LAB_TRY(const Found found, find_rows(request, id, version));
    DatasetLink out{.use = DatasetLink::Use::download};
    out.holder = address_holder(request.caller);
    out.dataset_id = id;
    out.version = found.rows.version;
    return out;
}

Result<RowsToSend> open_rows_of(
    const Request& request, const std::string& id, const std::string& version
) {
    LAB_TRY(Found found, find_rows(request, id, version));
    LAB_TRY(storage::ObjectFolder * objects, request.deps.objects());
    const storage::ObjectName name = storage::rows_object(found.rows.content_hash);
    LAB_TRY(const std::string path, objects->fetch(request.ctx, name));
    LAB_TRY(auto file, storage::DatasetFile::open(path));
    return RowsToSend{
        .dataset_name = std::move(found.dataset.name),
        .rows = std::move(found.rows),
        .file = std::make_shared<const storage::DatasetFile>(std::move(file)),
    };
}

}  // namespace lab::service
