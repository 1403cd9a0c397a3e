#include "api/datasets.h"

#include "api/impl/row_stream.h"
#include "api/lists.h"
#include "api/nouns.h"
#include "api/router.h"
#include "base/text.h"
#include "service/platform_datasets.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <limits>
#include <utility>

namespace lab::api {
namespace {

using domain::Permission;
using service::DatasetLink;

constexpr std::string_view kTag = "Datasets";

struct Settings {
    const SigningKeys& signing;
    std::string public_url;
    std::chrono::seconds link_life;
    std::size_t upload_bytes_max;
};

Status read_filters(const Call& call, storage::ResourceFilter& filter) {
    filter.facet = call.query("format");
    if (filter.facet == "ndjson") {
        filter.facet.reset();  // it is how the list is to be sent
    }
    if (const auto tags = call.query("tags")) {
        filter.tags = split_words(*tags);
    }
    return ok();
}

Route route(
    std::string_view method,
    std::string_view path,
    std::string_view summary,
    Permission permission,
    Handler handler
) {
    Route out;
    out.method = method;
    out.path = path;
    out.summary = summary;
    out.tag = kTag;
    out.guard = Guard::permission;
    out.permission = permission;
    out.handler = std::move(handler);
    return out;
}

/// Audited, and refused during maintenance.
Route change(Route out, std::string_view action) {
    out.audit = {.event = "data_modification", .action = action, .resource = "dataset"};
    out.maintenance = InMaintenance::refused;
    return out;
}

Route export_of(Route out) {
    out.audit = {.event = "data_access", .action = "export", .resource = "dataset"};
    return out;
}

Result<std::int64_t> read_count(
    const Call& call, std::string_view name, std::int64_t fallback, std::int64_t most
) {
    const auto text = call.query(name);
    if (!text) {
        return fallback;
    }
    std::int64_t value = 0;
    const char* const end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, value);
    if (parsed.ptr != end || text->empty() || parsed.ec == std::errc::invalid_argument) {
        return Error(
            Code::bad_request,
            "the query parameter \"" + std::string(name) + "\" is no whole number"
        );
    }
    if (parsed.ec != std::errc() || value < 0 || value > most) {
        const std::string range = "must be 0 to " + std::to_string(most);
        return Error(
            Code::validation,
            "the query parameter \"" + std::string(name) + "\" " + range,
            {{std::string(name), range}}
        );
    }
    return value;
}

/// Where this service is, as the one who asks sees it.
std::string origin_of(const Call& call, const Settings& settings) {
    if (!settings.public_url.empty()) {
        return settings.public_url;
    }
    const std::string host(call.header("host"));
    return host.empty() ? "" : (call.head().peer.tls ? "https://" : "http://") + host;
}

struct SignedAddress {
    std::string url;
    std::string expires_at;
};
SignedAddress sign(const Call& call, const Settings& settings, DatasetLink link) {
    const WallTime end = call.request().deps.clock->wall() + settings.link_life;
    link.holder.expires_at =
        std::chrono::duration_cast<std::chrono::seconds>(end.time_since_epoch()).count();
    return {
        .url = origin_of(call, settings) + "/datasets/" + link.dataset_id +
               "/content?token=" + service::sign_link(link, settings.signing),
        .expires_at = format_rfc3339(end),
    };
}

std::string_view type_of(std::string_view format) {
    if (format == "json") {
        return "application/json";
    }
    if (format == "csv") {
        return "text/csv";
    }
    if (format == "parquet") {
        return "application/vnd.apache.parquet";
    }
    if (format == "text") {
        return "text/plain";
    }
    return format == "tsv" ? "text/tab-separated-values" : "application/x-ndjson";
}

/// The address that came in, read; and a request in the name of whoever it was made for.
struct Bearer {
    DatasetLink link;
    service::Caller caller;
};
Result<Bearer> read_token(const Call& call, const Settings& settings, DatasetLink::Use use) {
    const service::Request& request = call.request();
    Bearer out;
    LAB_TRY(
        out.link,
        service::read_link(
            call.query("token").value_or(""),
            use,
            call.path(0),
            request.deps.clock->wall(),
            settings.signing
        )
    );
    out.caller = service::link_caller(out.link, request.caller);
    return out;
}

service::Request request_of(const Call& call, const Bearer& bearer) {
    const service::Request& request = call.request();
    return {request.ctx, request.deps, request.session, bearer.caller};
}

/// What an upload address says of the body, held against its head before anything of it is read.
/// Errors: forbidden, unsupported_type, payload_too_large.
Status check_address(const http::RequestHead& head, WallTime now, const Settings& settings) {
    std::string token;
    if (const auto query = parse_query(head.query)) {
        for (const auto& [name, value] : *query) {
            token = name == "token" ? value : token;
        }
    }
    // "/datasets/{id}/content", also below /v1
    const std::string_view front = std::string_view(head.path).substr(0, head.path.rfind('/'));
    const std::string dataset = to_lower(front.substr(front.rfind('/') + 1));
    LAB_TRY(
        const DatasetLink link,
        service::read_link(token, DatasetLink::Use::upload, dataset, now, settings.signing)
    );
    const std::string_view given = http::find_header(head.headers, "content-type");
    const std::string type = to_lower(trim(given.substr(0, given.find(';'))));
    if (!type.empty() && !link.content_type.empty() && type != link.content_type) {
        return Error(Code::unsupported_type, "this address takes " + link.content_type + " only");
    }
    const std::uint64_t most = link.bytes != 0 ? static_cast<std::uint64_t>(link.bytes)
                                               : std::uint64_t{settings.upload_bytes_max};
    std::uint64_t length = 0;
    const std::string_view text = http::find_header(head.headers, "content-length");
    std::from_chars(text.data(), text.data() + text.size(), length);
    if (length > most) {
        return Error(
            Code::payload_too_large, "this address takes at most " + std::to_string(most) + " bytes"
        );
    }
    return ok();
}

Reply reply_arrived(service::Arrived arrived) {
    return reply_json(std::move(arrived.version), arrived.is_new ? 201 : 200);
}

/// Hands a body on to its dataset.
class Rows final : public BodyWriter {
  public:
    /// `announced`: how many bytes must come; 0 = as many as are let through.
    Rows(
        std::unique_ptr<service::ArrivingRows> rows,
        std::optional<service::Caller> bearer,
        std::int64_t announced
    )
        : rows_(std::move(rows)), bearer_(std::move(bearer)), announced_(announced) {}
    Status write(std::string_view bytes) override {
        came_ += std::ssize(bytes);
        if (announced_ != 0 && came_ > announced_) {
            return Error(
                Code::payload_too_large,
                "this address takes " + std::to_string(announced_) + " bytes"
            );
        }
        return rows_->write(bytes);
    }
    /// In the name of whoever began.
    Result<Reply> take(const Call& call) {
        if (announced_ != 0 && came_ != announced_) {
            return Error(
                Code::validation,
                std::to_string(announced_) + " bytes were announced, and " + std::to_string(came_) +
                    " came"
            );
        }
        const service::Request& request = call.request();
        const service::Request mine{
            request.ctx, request.deps, request.session, bearer_ ? *bearer_ : request.caller
        };
        LAB_TRY(auto arrived, rows_->take(mine, call.path(0)));
        return reply_arrived(std::move(arrived));
    }

  private:
    std::unique_ptr<service::ArrivingRows> rows_;
    std::optional<service::Caller> bearer_;
    std::int64_t announced_;
    std::int64_t came_ = 0;
};

Result<Reply> take(Call& call) {
    auto* const rows = dynamic_cast<Rows*>(call.body_writer.get());
    LAB_ASSERT(rows != nullptr, "a body that was opened is written");
    return rows->take(call);
}

/// What the query says of rows that come with the request.
Json announced(const Call& call) {
    Json out = Json::object();
    for (const char* name : {"format", "filename", "version", "description", "changelog"}) {
        if (const auto value = call.query(name)) {
            out[name] = *value;
        }
    }
    out["content_type"] = call.header("content-type");
    return out;
}

/// Versions are in the order of their numbers, so a cursor holds one.
Result<ListPage> fetch_versions(const Call& call, const ListQuery& query) {
    LAB_TRY(const auto below, number_after(query));
    LAB_TRY(
        auto found,
        service::list_versions(call.request(), call.path(0), below, query.limit, query.offset)
    );
    return ListPage{
        .data = std::move(found.rows),
        .total = storage::RowCount{found.total},
        .more = found.more,
        .last = cursor_at(found.last),
    };
}

void add_versions(std::vector<Route>& out, const SigningKeys& signing) {
    Route plan = change(
        route(
            "POST",
            "/datasets/{id}/versions",
            "Say what the next rows are to be called; they are uploaded afterwards",
            Permission::update_dataset,
            [](Call& call) -> Result<Reply> {
                LAB_TRY(
                    Json version, service::plan_version(call.request(), call.path(0), call.body())
                );
                return reply_json(std::move(version), 201);
            }
        ),
        "update"
    );
    plan.body = BodyKind::json;
    plan.body_optional = true;
    plan.request_schema = &service::version_plan_schema();
    plan.success = 201;
    plan.errors = {409};
    out.push_back(std::move(plan));

    Route list = route(
        "GET",
        "/datasets/{id}/versions",
        "List the versions, newest first, one that waits for its rows in front",
        Permission::read_dataset,
        [&signing](Call& call) {
            return reply_list(
                call, signing, {.resource = "dataset", .source = fetch_versions, .is_array = true}
            );
        }
    );
    list.query = ordered_list_parameters();
    list.query.front().help = "Versions of a page, 1 to 100; 1000 when not given";
    out.push_back(std::move(list));
}

void add_uploads(std::vector<Route>& out, const Settings& settings) {
    Route prepare = change(
        route(
            "POST",
            "/datasets/{id}/upload",
            "Get an address to upload rows to, which needs no other credential for an hour",
            Permission::update_dataset,
            [settings](Call& call) -> Result<Reply> {
                LAB_TRY(
                    DatasetLink link,
                    service::prepare_upload(call.request(), call.path(0), call.body())
                );
                const std::string path = service::bucket_path(link.dataset_id, link.version);
                const std::string_view type = type_of(link.format);
                if (std::cmp_greater(link.bytes, settings.upload_bytes_max)) {
                    return Error(
                        Code::validation,
                        "the rows are too many",
                        {{"size_bytes",
                          "must be at most " + std::to_string(settings.upload_bytes_max)}}
                    );
                }
                link.content_type = type;
                const SignedAddress address = sign(call, settings, std::move(link));
                return reply_json({
                    {"upload_url", address.url},
                    {"s3_path", path},
                    {"expires_at", address.expires_at},
                    {"method", "PUT"},
                    {"headers", {{"Content-Type", type}}},
                    {"max_bytes", settings.upload_bytes_max},
                });
            }
        ),
        "import"
    );
    prepare.body = BodyKind::json;
    prepare.body_optional = true;
    prepare.request_schema = &service::upload_schema();
    out.push_back(std::move(prepare));

    Route put;
    put.method = "PUT";
    put.path = "/datasets/{id}/content";
    put.summary = "Upload rows to an address that was given out; all are taken or none";
    put.tag = kTag;
    put.guard = Guard::open;  // the signature of the address is the credential
    put.handler = take;
    put.check_head = [settings](const http::RequestHead& head, WallTime now) {
        return check_address(head, now, settings);
    };
    put.open_body = [settings](Call& call) -> Result<std::unique_ptr<BodyWriter>> {
        LAB_TRY(Bearer bearer, read_token(call, settings, DatasetLink::Use::upload));
        LAB_TRY(
            auto rows,
            service::ArrivingRows::begin(
                request_of(call, bearer), call.path(0), service::arrival_of(bearer.link)
            )
        );
        return std::make_unique<Rows>(std::move(rows), std::move(bearer.caller), bearer.link.bytes);
    };
    put.body = BodyKind::stream;
    put.body_bytes_max = settings.upload_bytes_max;
    put.success = 201;
    put.also_success = 200;
    put.query = {{"token", "string", "Of the address", true}};
    put.errors = {403, 409, 413, 415};
    out.push_back(change(std::move(put), "import"));
}

void add_import(std::vector<Route>& out, const Settings& settings) {
    Route import = change(
        route(
            "POST",
            "/datasets/{id}/import",
            "Send rows as the body: JSONL, JSON, CSV, TSV, Parquet or text; all are taken or none",
            Permission::update_dataset,
            take
        ),
        "import"
    );
    import.body = BodyKind::stream;
    import.open_body = [](Call& call) -> Result<std::unique_ptr<BodyWriter>> {
        LAB_TRY(
            const DatasetLink said,
            service::prepare_upload(call.request(), call.path(0), announced(call))
        );
        LAB_TRY(
            auto rows,
            service::ArrivingRows::begin(call.request(), call.path(0), service::arrival_of(said))
        );
        return std::make_unique<Rows>(std::move(rows), std::nullopt, 0);
    };
    import.body_bytes_max = settings.upload_bytes_max;
    import.success = 201;
    import.also_success = 200;
    import.query = {
        {.name = "format",
         .type = "string",
         .help = "Else the file name or Content-Type tells",
         .values = {"jsonl", "json", "csv", "tsv", "parquet", "text"}},
        {"filename", "string", "What the file is called"},
        {"version", "label", "A label for these rows, such as 1.1.0"},
        {"description", "string", "What they are"},
        {"changelog", "string", "What is different from the version before"},
    };
    import.errors = {409, 413};
    out.push_back(std::move(import));
}

void add_downloads(std::vector<Route>& out, const Settings& settings) {
    const QueryParameter version{
        "version", "string", "Number, id or label of a version; the rows in use when not given"
    };
    Route prepare = export_of(route(
        "GET",
        "/datasets/{id}/download",
        "Get an address to download rows from, which needs no other credential for an hour",
        Permission::export_data,
        [settings](Call& call) -> Result<Reply> {
            LAB_TRY(
                DatasetLink link,
                service::prepare_download(
                    call.request(), call.path(0), call.query("version").value_or("")
                )
            );
            const std::int64_t number = link.version;
            const SignedAddress address = sign(call, settings, std::move(link));
            return reply_json({
                {"download_url", address.url},
                {"expires_at", address.expires_at},
                {"version", number},
                {"format", "jsonl"},
            });
        }
    ));
    prepare.query = {version};
    prepare.errors = {400};
    out.push_back(std::move(prepare));

    Route get;
    get.method = "GET";
    get.path = "/datasets/{id}/content";
    get.summary = "Download rows from an address that was given out, one JSON object a line";
    get.tag = kTag;
    get.guard = Guard::open;  // the signature of the address is the credential
    get.handler = [settings](Call& call) -> Result<Reply> {
        LAB_TRY(const Bearer bearer, read_token(call, settings, DatasetLink::Use::download));
        LAB_TRY(
            auto rows,
            service::open_rows_of(
                request_of(call, bearer), call.path(0), std::to_string(bearer.link.version)
            )
        );
        return reply_rows(std::move(rows), 0, std::numeric_limits<std::int64_t>::max());
    };
    get.query = {{"token", "string", "Of the address", true}};
    get.errors = {403};
    out.push_back(export_of(std::move(get)));

    Route rows = export_of(route(
        "GET",
        "/datasets/{id}/rows",
        "Stream rows, one JSON object a line",
        Permission::export_data,
        [](Call& call) -> Result<Reply> {
            constexpr std::int64_t kAll = std::numeric_limits<std::int64_t>::max();
            LAB_TRY(const auto offset, read_count(call, "offset", 0, kAll));
            LAB_TRY(const auto limit, read_count(call, "limit", kAll, kAll));
            LAB_TRY(
                auto found,
                service::open_rows_of(
                    call.request(), call.path(0), call.query("version").value_or("")
                )
            );
            return reply_rows(std::move(found), offset, limit);
        }
    ));
    rows.query = {
        version,
        {.name = "limit",
         .type = "integer",
         .help = "Rows to send; all when not given",
         .most = std::numeric_limits<std::int64_t>::max()},
        {.name = "offset",
         .type = "integer",
         .help = "Rows to leave out in front",
         .most = std::numeric_limits<std::int64_t>::max()},
    };
    rows.errors = {400};
    out.push_back(std::move(rows));
}

}  // namespace

std::vector<Route> dataset_routes(
    const SigningKeys& signing,
    const std::string& public_url,
    std::chrono::seconds link_life,
    std::size_t upload_bytes_max
) {
    NounFace face{
        .collection = "/datasets",
        .one = "/datasets/{id}",
        .tag = kTag,
        .noun = &service::dataset_noun(),
        .filters =
            {{.name = "format",
              .type = "string",
              .help = "Those of this format; ndjson sends all rows, one a line",
              .values = {"jsonl", "json", "csv", "tsv", "parquet", "text", "ndjson"}},
             {"tags", "tags", "Those with all of these tags, separated by commas"}},
        .read_filters = read_filters,
    };
    const Settings settings{
        .signing = signing,
        .public_url = public_url,
        .link_life = link_life,
        .upload_bytes_max = upload_bytes_max,
    };
    std::vector<Route> out = noun_routes(face, signing);
    add_versions(out, signing);
    add_uploads(out, settings);
    add_import(out, settings);
    add_downloads(out, settings);
    return out;
}

}  // namespace lab::api
