#include "api/artifacts.h"

#include "api/impl/file_reply.h"
#include "api/lists.h"
#include "base/text.h"
#include "service/artifacts.h"

#include <nlohmann/json.hpp>

#include <charconv>

namespace lab::api {
namespace {

using domain::Permission;

constexpr std::string_view kAll = "/experiments/{id}/runs/{run}/artifacts";
constexpr std::string_view kOne = "/experiments/{id}/runs/{run}/artifacts/{artifact}";
constexpr std::string_view kContent = "/experiments/{id}/runs/{run}/artifacts/{artifact}/content";
constexpr std::string_view kUpload = "/experiments/{id}/runs/{run}/artifacts/upload";
constexpr std::string_view kSigned = "/experiments/{id}/runs/{run}/artifacts/content";

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
    out.tag = "Artifacts";
    out.guard = Guard::permission;
    out.permission = permission;
    out.handler = std::move(handler);
    return out;
}

/// Audited, and refused during maintenance.
Route change(Route out, std::string_view action) {
    out.audit = {.event = "data_modification", .action = action, .resource = "run"};
    out.maintenance = InMaintenance::refused;
    return out;
}

/// Hands a body on to its artifact.
class Bytes final : public BodyWriter {
  public:
    Bytes(std::unique_ptr<service::ArtifactBytes> bytes, std::optional<service::Caller> bearer)
        : bytes_(std::move(bytes)), bearer_(std::move(bearer)) {}
    Status write(std::string_view bytes) override { return bytes_->write(bytes); }
    /// In the name of whoever began.
    Result<Reply> keep(const Call& call) {
        const service::Request& request = call.request();
        const service::Request mine{
            request.ctx, request.deps, request.session, bearer_ ? *bearer_ : request.caller
        };
        LAB_TRY(Json made, service::keep_artifact(mine, call.path(0), call.path(1), *bytes_));
        const std::string id = made["id"].get<std::string>();
        const std::string hash = made["content_hash"].get<std::string>();
        Reply reply = reply_json(std::move(made), 201);
        reply.audit_made = {id};
        reply.headers.emplace_back("ETag", "\"" + hash + "\"");
        return reply;
    }

  private:
    std::unique_ptr<service::ArtifactBytes> bytes_;
    std::optional<service::Caller> bearer_;
};

Result<Reply> keep(Call& call) {
    auto* const bytes = dynamic_cast<Bytes*>(call.body_writer.get());
    LAB_ASSERT(bytes != nullptr, "a body that was opened is written");
    return bytes->keep(call);
}

/// What the head says of the body's size; 0 = nothing.
std::int64_t announced_bytes(const Call& call) {
    std::int64_t out = 0;
    const std::string_view text = call.header("content-length");
    const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
    return read.ec == std::errc() ? out : 0;
}

Result<std::unique_ptr<BodyWriter>> open_direct(Call& call) {
    const std::string type(call.header("content-type"));
    const service::ArtifactPlan plan{
        .name = call.query("name").value_or(""),
        .type = call.query("artifact_type").value_or("other"),
        .mime_type = call.query("mime_type").value_or(type),
        .bytes = announced_bytes(call),
    };
    LAB_TRY(auto bytes, service::begin_artifact(call.request(), call.path(0), call.path(1), plan));
    return std::make_unique<Bytes>(std::move(bytes), std::nullopt);
}

Result<std::unique_ptr<BodyWriter>> open_signed(Call& call, const SigningKeys& signing) {
    const service::Request& request = call.request();
    LAB_TRY(
        auto link,
        service::read_artifact_link(
            call.query("token").value_or(""),
            call.path(0),
            call.path(1),
            request.deps.clock->wall(),
            signing
        )
    );
    link.plan.bytes = announced_bytes(call);
    const service::Caller bearer = service::artifact_link_caller(link, request.caller);
    const service::Request mine{request.ctx, request.deps, request.session, bearer};
    LAB_TRY(auto bytes, service::begin_artifact(mine, link.experiment, link.run, link.plan));
    return std::make_unique<Bytes>(std::move(bytes), bearer);
}

Result<Reply> prepare(const Call& call, const ArtifactRoutesDeps& deps) {
    const Json& body = call.body();
    const service::ArtifactPlan plan{
        .name = body.value("name", ""),
        .type = body.value("artifact_type", "other"),
        .mime_type = body.value("mime_type", ""),
    };
    LAB_TRY(auto link, service::prepare_artifact(call.request(), call.path(0), call.path(1), plan));
    const WallTime end = call.request().deps.clock->wall() + deps.link_life;
    link.holder.expires_at =
        std::chrono::duration_cast<std::chrono::seconds>(end.time_since_epoch()).count();
    const std::string host(call.header("host"));
    const std::string here = (call.head().peer.tls ? "https://" : "http://") + host;
    const std::string origin = deps.public_url.empty() ? here : deps.public_url;
    const std::string type = plan.mime_type.empty() ? "application/octet-stream" : plan.mime_type;
    return reply_json({
        {"upload_url",
         origin + "/experiments/" + link.experiment + "/runs/" + link.run +
             "/artifacts/content?token=" + service::sign_artifact_link(link, deps.signing)},
        {"expires_at", format_rfc3339(end)},
        {"method", "PUT"},
        {"headers", {{"Content-Type", type}}},
    });
}

void add_uploads(std::vector<Route>& out, const ArtifactRoutesDeps& deps) {
    Route direct = change(
        route(
            "POST",
            kAll,
            "Send a file as the body; a larger one goes to a signed address (artifacts/upload)",
            Permission::run_experiment,
            keep
        ),
        "create"
    );
    direct.body = BodyKind::stream;
    direct.open_body = open_direct;
    direct.body_bytes_max = deps.direct_bytes_max;
    direct.success = 201;
    direct.query = {
        {"name", "string", "File name", true},
        {"artifact_type",
         "string",
         "model_output, intermediate_result, log, visualization, report, checkpoint or other"},
        {"mime_type", "string", "Media type, when the header Content-Type does not tell"},
    };
    direct.errors = {413};
    out.push_back(std::move(direct));

    Route ask = change(
        route(
            "POST",
            kUpload,
            "Get an address to upload a file to, which needs no other credential for an hour",
            Permission::run_experiment,
            [deps](Call& call) { return prepare(call, deps); }
        ),
        "create"
    );
    ask.body = BodyKind::json;
    ask.request_schema = &service::artifact_plan_schema();
    ask.errors = {413};
    out.push_back(std::move(ask));

    Route put = change(
        route(
            "PUT",
            kSigned,
            "Upload a file to an address that was given out",
            Permission::run_experiment,
            keep
        ),
        "create"
    );
    put.guard = Guard::open;  // the signature of the address is the credential
    put.permission.reset();
    put.body = BodyKind::stream;
    put.open_body = [&signing = deps.signing](Call& call) { return open_signed(call, signing); };
    put.body_bytes_max = deps.signed_bytes_max;
    put.success = 201;
    put.query = {{"token", "string", "Of the address", true}};
    put.errors = {403, 413};
    out.push_back(std::move(put));
}

Result<ListPage> fetch(const Call& call, const ListQuery& query) {
    LAB_TRY(const auto below, number_after(query));
    LAB_TRY(
        auto found,
        service::list_artifacts(
            call.request(), call.path(0), call.path(1), below, query.limit, query.offset
        )
    );
    return ListPage{
        .data = std::move(found.rows),
        .total = storage::RowCount{found.total},
        .more = found.more,
        .last = cursor_at(found.last),
    };
}

Result<Reply> send_content(const Call& call) {
    LAB_TRY(
        auto file, service::artifact_file(call.request(), call.path(0), call.path(1), call.path(2))
    );
    return reply_file(
        call,
        {.path = std::move(file.path),
         .name = std::move(file.name),
         .mime_type = std::move(file.mime_type),
         .content_hash = std::move(file.content_hash),
         .bytes = file.bytes}
    );
}

}  // namespace

std::vector<Route> artifact_routes(const ArtifactRoutesDeps& deps) {
    std::vector<Route> out;
    add_uploads(out, deps);
    Route list = route(
        "GET",
        kAll,
        "List the files of a run, newest first",
        Permission::read_experiment,
        [&signing = deps.signing](Call& call) {
            return reply_list(call, signing, {.resource = "run", .source = fetch});
        }
    );
    list.query = ordered_list_parameters();
    out.push_back(std::move(list));
    out.push_back(route(
        "GET",
        kOne,
        "Show what a file is",
        Permission::read_experiment,
        [](Call& call) -> Result<Reply> {
            LAB_TRY(
                Json one,
                service::get_artifact(call.request(), call.path(0), call.path(1), call.path(2))
            );
            return reply_json(std::move(one));
        }
    ));
    Route content = route(
        "GET",
        kContent,
        "Download a file, or a part of it (Range)",
        Permission::read_experiment,
        [](Call& call) { return send_content(call); }
    );
    content.errors = {416};
    out.push_back(std::move(content));
    Route remove = change(
        route(
            "DELETE",
            kOne,
            "Remove a file",
            Permission::run_experiment,
            [](Call& call) -> Result<Reply> {
                LAB_TRY(
                    Json before,
                    service::remove_artifact(
                        call.request(), call.path(0), call.path(1), call.path(2)
                    )
                );
                Reply reply = reply_nothing();
                reply.audit_before = std::move(before);
                return reply;
            }
        ),
        "delete"
    );
    remove.success = 204;
    out.push_back(std::move(remove));
    return out;
}

}  // namespace lab::api
