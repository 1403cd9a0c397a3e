#include "base/text.h"
#include "base/uuid.h"
#include "platform/crypto/sha256.h"
#include "platform/data/row_reader.h"
#include "platform/json/schema.h"
#include "platform/json/usable_schema.h"
#include "service/datasets.h"
#include "service/impl/dataset_rows.h"
#include "service/scratch.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>

namespace lab::service {
namespace {

using domain::Deed;
using storage::DatasetVersions;
using storage::Resource;
using storage::StoredRows;

/// Versions that are looked through for one of an id.
constexpr std::int64_t kVersionsMax = 100'000;
constexpr std::size_t kProblemBytesMax = 1000;
constexpr Duration kAfterwards = std::chrono::seconds(5);

/// Cells of CSV are text; where the schema wants numbers or truth values, they are read as such.
void read_cells(const Json& schema, Json& row) {
    const auto properties = schema.find("properties");
    if (properties == schema.end()) {
        return;
    }
    for (auto& [name, cell] : row.items()) {
        const auto wanted = properties->find(name);
        if (!cell.is_string() || wanted == properties->end() || !wanted->is_object()) {
            continue;
        }
        const Json type = wanted->value("type", Json());
        if (type != "integer" && type != "number" && type != "boolean") {
            continue;
        }
        const auto value = parse_json(cell.get_ref<const std::string&>());
        if (value && (value->is_number() || value->is_boolean())) {
            cell = *value;
        }
    }
}

/// Holds rows against the schema of their dataset.
std::function<Status(DataRow&)> row_check(const Json& schema, bool cells) {
    return [schema, cells](DataRow& row) -> Status {
        if (cells) {
            read_cells(schema, row.value);
        }
        const std::vector<Detail> problems = check_schema(row.value, schema);
        if (problems.empty()) {
            return ok();
        }
        std::string words = "line " + std::to_string(row.line) + ": ";
        for (std::size_t i = 0; i < problems.size() && i < 5; ++i) {
            words += i == 0 ? "" : "; ";
            words += problems[i].field.empty() ? "" : problems[i].field + " ";
            words += problems[i].message;
        }
        return Error(Code::validation, shorten(words, kProblemBytesMax));
    };
}

/// Whoever changed the dataset meanwhile knows better.
Status set_status(
    const Request& request, const std::string& id, std::string_view status, const Json& members
) {
    LAB_TRY(Resource one, need_noun(request, dataset_noun(), id, Deed::update));
    const Status set = set_noun_status(request, dataset_noun(), one, status, members);
    return !set && set.error().code == Code::conflict ? ok() : set;
}

/// Reads the file into an object; with it go format, schema and what to call it.
Result<domain::DatasetVersion> read_arrival(
    const Request& request, const Resource& dataset, const Arrival& arrival
) {
    LAB_TRY(const Json body, parse_json(dataset.body));
    const std::string format =
        arrival.format.empty() ? body.value("format", "jsonl") : arrival.format;
    LAB_CHECK(check_format(format));
    ImportRequest import{.path = arrival.path, .format = format, .name = dataset.name};
    import.title = arrival.source.empty() ? "the data" : shorten(arrival.source, 100);
    if (const auto schema = body.find("schema"); schema != body.end()) {
        LAB_TRY(const Json usable, usable_schema(*schema));
        import.check = row_check(usable, format == "csv" || format == "tsv");
    }
    LAB_TRY(storage::ObjectFolder * objects, request.deps.objects());
    return service::read_dataset(request.ctx, request.deps, *objects, import);
}

/// What is said of the rows: with the arrival, or when the version was planned.
Json words_of(const Arrival& arrival, const Json& plan) {
    Json out = Json::object();
    out["version"] = arrival.label.empty() ? plan.value("version", "") : arrival.label;
    out["description"] =
        arrival.description.empty() ? plan.value("description", "") : arrival.description;
    out["changelog"] = arrival.changelog.empty() ? plan.value("changelog", "") : arrival.changelog;
    return out;
}

Result<Arrived> store_rows(
    const Request& request,
    const std::string& id,
    const Arrival& arrival,
    const domain::DatasetVersion& read
) {
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    LAB_TRY(Resource one, need_noun(request, dataset_noun(), id, Deed::update));
    LAB_TRY(const Json body, parse_json(one.body));
    // The next number is one higher: one at a time.
    LAB_CHECK(request.session.hold(request.ctx, "dataset_versions", one.key));
    const Json words = words_of(arrival, body.value(kPlannedVersion, Json::object()));
    StoredRows rows{
        .label = words["version"].get<std::string>(),
        .content_hash = read.content_hash,
        .rows = read.rows,
        .bytes = read.bytes,
        .fields = read.fields,
        .source = arrival.source,
        .created_at = format_rfc3339(request.deps.clock->wall()),
    };
    LAB_CHECK(check_label(request, one, rows.label, rows.content_hash));
    Json about = Json::object();
    about["description"] = words["description"];
    about["changelog"] = words["changelog"];
    about["schema"] = body.value("schema", Json());
    about["created_by"] = request.caller.user_id;
    rows.body = dump_json(about);
    DatasetVersions versions(request.session);
    LAB_TRY(auto added, versions.add(request.ctx, one.key, std::move(rows)));
    LAB_TRY(const auto newest, versions.find_latest(request.ctx, one.key));
    Json members = Json::object();
    members[kRowsInUse] = {
        {"version", added.rows.version},
        {"newest", newest ? newest->version : added.rows.version},
    };
    members[kProblem] = nullptr;
    if (added.is_new) {
        members[kPlannedVersion] = nullptr;
    }
    LAB_CHECK(set_noun_status(request, dataset_noun(), one, "ready", members));
    LAB_CHECK(transaction.commit(request.ctx));
    if (added.is_new) {
        request.deps.observer->dataset_uploaded(added.rows.bytes);
    }
    LAB_TRY(Json shown, show_rows(id, added.rows));
    return Arrived{.version = std::move(shown), .is_new = added.is_new};
}

}  // namespace

Result<std::optional<StoredRows>> rows_in_use(const Request& request, const Resource& dataset) {
    DatasetVersions versions(request.session);
    LAB_TRY(auto newest, versions.find_latest(request.ctx, dataset.key));
    if (!newest) {
        return newest;
    }
    LAB_TRY(const Json body, parse_json(dataset.body));
    const Json in_use = body.value(kRowsInUse, Json::object());
    const std::int64_t version = in_use.value("version", newest->version);
    if (version == newest->version || in_use.value("newest", version) != newest->version) {
        return newest;
    }
    return versions.find_number(request.ctx, dataset.key, version);
}

std::string version_id(const std::string& dataset_id, std::int64_t version) {
    const std::string hash = sha256(dataset_id + "/" + std::to_string(version));
    std::uint64_t halves[2] = {};
    std::memcpy(halves, hash.data(), sizeof halves);
    return make_uuid(halves[0], halves[1]);
}

Result<std::optional<StoredRows>> find_rows_by_id(
    const Request& request, const Resource& dataset, const std::string& id
) {
    DatasetVersions versions(request.session);
    LAB_TRY(const auto newest, versions.find_latest(request.ctx, dataset.key));
    const std::int64_t last = newest ? std::min(newest->version, kVersionsMax) : 0;
    for (std::int64_t number = last; number > 0; --number) {
        if (version_id(dataset.id, number) == id) {
            return versions.find_number(request.ctx, dataset.key, number);
        }
    }
    return std::optional<StoredRows>();
}

Result<Json> show_rows(const std::string& dataset_id, const StoredRows& rows) {
    LAB_TRY(const Json about, parse_json(rows.body));
    const std::string author = about.value("created_by", "");
    Json out = Json::object();
    out["id"] = version_id(dataset_id, rows.version);
    out["dataset_id"] = dataset_id;
    out["version"] = rows.version;
    out["label"] = rows.label.empty() ? Json() : Json(rows.label);
    out["status"] = "ready";
    out["description"] = about.value("description", "");
    out["changelog"] = about.value("changelog", "");
    out["s3_path"] = bucket_path(dataset_id, rows.version);
    out["sample_count"] = rows.rows;
    out["row_count"] = rows.rows;
    out["size_bytes"] = rows.bytes;
    out["content_hash"] = rows.content_hash;
    out["fields"] = rows.fields;
    out["schema"] = about.value("schema", Json());
    out["source"] = rows.source;
    out["created_by"] = author.empty() ? Json() : Json(author);
    out["created_at"] = rows.created_at;
    return out;
}

Result<Json> show_planned(const Resource& dataset, const Json& plan, std::int64_t number) {
    LAB_TRY(const Json body, parse_json(dataset.body));
    Json about = Json::object();
    about["description"] = plan.value("description", "");
    about["changelog"] = plan.value("changelog", "");
    about["schema"] = body.value("schema", Json());
    about["created_by"] = plan.value("created_by", "");
    const StoredRows rows{
        .version = number,
        .label = plan.value("version", ""),
        .body = dump_json(about),
        .created_at = plan.value("created_at", ""),
    };
    LAB_TRY(Json out, show_rows(dataset.id, rows));
    out["status"] = "pending_upload";
    for (const char* member : {"sample_count", "row_count", "size_bytes", "content_hash"}) {
        out[member] = nullptr;
    }
    return out;
}

Status check_label(
    const Request& request,
    const Resource& dataset,
    const std::string& label,
    const std::string& content_hash
) {
    if (label.empty()) {
        return ok();
    }
    LAB_TRY(
        const auto other,
        DatasetVersions(request.session).find_labelled(request.ctx, dataset.key, label)
    );
    if (other && other->content_hash != content_hash) {
        return Error(
            Code::conflict,
            "the dataset has a version \"" + label + "\" already, and versions do not change",
            {{"existing_id", version_id(dataset.id, other->version)}}
        );
    }
    return ok();
}

Status check_format(const std::string& format) {
    constexpr std::array<std::string_view, 6> kKnown = {
        "jsonl", "json", "csv", "tsv", "parquet", "text"
    };
    const bool known = std::ranges::find(kKnown, format) != kKnown.end();
    return known ? ok()
                 : Status(Error(
                       Code::validation,
                       "rows cannot be read from this format",
                       {{"format",
                         "rows are read from jsonl, json, csv, tsv, parquet and text; send them as "
                         "one of these"}}
                   ));
}

Arrival arrival_of(const DatasetLink& link) {
    return {
        .format = link.format,
        .source = link.source,
        .label = link.label,
        .description = link.description,
        .changelog = link.changelog,
    };
}

struct ArrivingRows::Impl {
    ScratchFolder scratch;
    Arrival arrival;
    std::ofstream file;
};

ArrivingRows::ArrivingRows(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
ArrivingRows::~ArrivingRows() = default;

Result<std::unique_ptr<ArrivingRows>> ArrivingRows::begin(
    const Request& request, const std::string& id, Arrival arrival
) {
    LAB_CHECK(require(request.caller, dataset_noun().update));
    LAB_CHECK(need_noun(request, dataset_noun(), id, Deed::update));
    if (!arrival.format.empty()) {
        LAB_CHECK(check_format(arrival.format));
    }
    LAB_TRY(ScratchFolder scratch, ScratchFolder::make(request.deps.scratch_folder));
    arrival.path = scratch.path() + "/rows";
    std::ofstream file(arrival.path, std::ios::binary);
    if (!file) {
        return Error(Code::io, "cannot write to " + arrival.path);
    }
    return std::unique_ptr<ArrivingRows>(new ArrivingRows(
        std::make_unique<Impl>(Impl{std::move(scratch), std::move(arrival), std::move(file)})
    ));
}

Status ArrivingRows::write(std::string_view bytes) {
    impl_->file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return impl_->file ? ok() : Status(Error(Code::io, "cannot write " + impl_->arrival.path));
}

Result<Arrived> ArrivingRows::take(const Request& request, const std::string& id) {
    impl_->file.close();
    if (!impl_->file) {
        return Error(Code::io, "cannot write " + impl_->arrival.path);
    }
    return take_rows(request, id, impl_->arrival);
}

Result<Arrived> take_bytes(
    const Request& request, const std::string& id, Arrival arrival, std::string_view bytes
) {
    LAB_TRY(const ScratchFolder scratch, ScratchFolder::make(request.deps.scratch_folder));
    arrival.path = scratch.path() + "/rows";
    std::ofstream file(arrival.path, std::ios::binary);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    file.close();
    if (!file) {
        return Error(Code::io, "cannot write to " + arrival.path);
    }
    return take_rows(request, id, arrival);
}

Result<Arrived> take_rows(const Request& request, const std::string& id, const Arrival& arrival) {
    LAB_CHECK(require(request.caller, dataset_noun().update));
    LAB_TRY(Resource one, need_noun(request, dataset_noun(), id, Deed::update));
    LAB_TRY(const auto earlier, rows_in_use(request, one));
    const std::string before = one.status == "validating" ? "pending_upload" : one.status;
    if (!earlier) {
        LAB_CHECK(set_status(request, id, "validating", {{kProblem, nullptr}}));
    }
    const auto read = read_arrival(request, one, arrival);
    if (read) {
        return store_rows(request, id, arrival, *read);
    }
    Error error = read.error();
    if (!earlier) {
        // Bad rows are the dataset's problem; a full disk or a lost client are not.
        const bool bad = error.code == Code::validation;
        const Json problem = bad ? Json(shorten(error.message, kProblemBytesMax)) : Json();
        // The request's own time may be over by now.
        const Ctx after = Ctx(*request.deps.clock).within(kAfterwards);
        const Request late{after, request.deps, request.session, request.caller};
        const Status noted = set_status(late, id, bad ? "failed" : before, {{kProblem, problem}});
        if (!noted) {
            error.cause += " (and the status stays: " + noted.error().message + ")";
        }
    }
    return error;
}

}  // namespace lab::service
