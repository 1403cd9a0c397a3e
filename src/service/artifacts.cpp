#include "service/artifacts.h"

#include "base/text.h"
#include "platform/json/schema.h"
#include "service/experiments.h"
#include "storage/objects/folder.h"
#include "storage/store/artifacts.h"

#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace lab::service {
namespace {

using domain::Deed;
using domain::Permission;
using domain::Run;
using storage::Artifact;
using storage::Artifacts;

constexpr std::int64_t kArtifactsMax = 10'000;
constexpr std::int64_t kRunBytesMax = std::int64_t{50} << 30;
constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kMimeBytesMax = 127;
constexpr std::string_view kAddressKind = "artifact link";
constexpr std::array<std::string_view, 7> kTypes = {
    "model_output", "intermediate_result", "log", "visualization", "report", "checkpoint", "other"
};

bool is_letter_or_digit(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// "type/subtype" of RFC 9110, with parameters of plain characters.
bool is_mime_type(std::string_view text) {
    const std::size_t slash = text.find('/');
    const bool plain = std::ranges::all_of(text, [](char c) {
        return is_letter_or_digit(c) || std::string_view("/.+-_;= \"").contains(c);
    });
    return plain && text.size() <= kMimeBytesMax && slash != std::string_view::npos && slash > 0 &&
           slash + 1 < text.size() && is_letter_or_digit(text.front());
}

Status check_plan(const ArtifactPlan& plan) {
    LAB_CHECK(check_artifact_name(plan.name));
    if (std::ranges::find(kTypes, plan.type) == kTypes.end()) {
        const std::string words =
            "must be model_output, intermediate_result, log, visualization, report, checkpoint or "
            "other";
        return Error(Code::validation, "artifact_type " + words, {{"artifact_type", words}});
    }
    if (!plan.mime_type.empty() && !is_mime_type(plan.mime_type)) {
        const std::string words = "must be a media type such as text/csv";
        return Error(Code::validation, "mime_type " + words, {{"mime_type", words}});
    }
    return ok();
}

Json show(const Run& run, const Artifact& one) {
    return {
        {"id", one.id},
        {"run_id", run.id},
        {"experiment_id", run.experiment_id},
        {"artifact_type", one.type},
        {"name", one.name},
        {"s3_path", one.path},
        {"content_hash", one.content_hash},
        {"size_bytes", one.bytes},
        {"mime_type", one.mime_type},
        {"created_at", one.created_at},
    };
}

Result<Run> need_run_to_read(
    const Request& request, const std::string& experiment, const std::string& run
) {
    LAB_CHECK(require(request.caller, Permission::read_experiment));
    return need_run(request, experiment, run, Deed::read);
}

Result<Run> need_run_to_change(
    const Request& request, const std::string& experiment, const std::string& run
) {
    LAB_CHECK(require(request.caller, Permission::run_experiment));
    return need_run(request, experiment, run, Deed::run);
}

Result<Artifact> need_artifact(const Request& request, const Run& run, const std::string& id) {
    LAB_TRY(auto found, Artifacts(request.session).find(request.ctx, run.key, id));
    if (!found) {
        return no_such("artifact");
    }
    return *std::move(found);
}

storage::ObjectName object_of(const Artifact& one) {
    return {.hash = one.content_hash, .key = one.path};
}

Error no_room() {
    return Error(Code::payload_too_large, "the run may not take so many bytes: 50 GiB at most");
}

/// How many bytes the run may still take.
Result<std::int64_t> room_of(const Request& request, const Run& run) {
    LAB_TRY(const auto totals, Artifacts(request.session).totals(request.ctx, run.key));
    if (totals.count >= kArtifactsMax || totals.bytes >= kRunBytesMax) {
        return Error(
            Code::payload_too_large,
            "the run has as many artifacts as it may have (10,000, or 50 GiB): remove some"
        );
    }
    return kRunBytesMax - totals.bytes;
}

}  // namespace

struct ArtifactBytes::Impl {
    storage::ObjectFolder* objects;
    storage::ObjectFolder::Writer writer;
    ArtifactPlan plan;
    std::int64_t room;
    std::int64_t written = 0;
};

ArtifactBytes::ArtifactBytes() = default;
ArtifactBytes::~ArtifactBytes() = default;

Status ArtifactBytes::write(std::string_view bytes) {
    impl_->written += std::ssize(bytes);
    if (impl_->written > impl_->room) {
        return no_room();
    }
    return impl_->writer.write(bytes);
}

const Json& artifact_plan_schema() {
    static const Json kSchema{
        {"type", "object"},
        {"properties",
         {{"name", {{"type", "string"}, {"minLength", 1}, {"maxLength", kNameBytesMax}}},
          {"artifact_type", {{"enum", kTypes}}},
          {"mime_type", {{"type", "string"}, {"maxLength", kMimeBytesMax}}}}},
        {"required", {"name"}},
        {"additionalProperties", false},
    };
    return kSchema;
}

Status check_artifact_name(std::string_view name) {
    const bool plain = std::ranges::all_of(name, [](char c) {
        return is_letter_or_digit(c) || std::string_view(" ._()+=@,-").contains(c);
    });
    const bool ends = !name.empty() && !std::string_view(".- ").contains(name.front()) &&
                      !std::string_view(". ").contains(name.back());
    if (plain && ends && name.size() <= kNameBytesMax) {
        return ok();
    }
    const std::string words =
        "must be a file name: 1 to 255 letters, digits, spaces and ._()+=@,- that does not begin "
        "with a dot, hyphen or space nor end with a dot or space";
    return Error(Code::validation, "the artifact's name " + words, {{"name", words}});
}

Result<std::unique_ptr<ArtifactBytes>> begin_artifact(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const ArtifactPlan& plan
) {
    LAB_TRY(const Run found, need_run_to_change(request, experiment, run));
    LAB_CHECK(check_plan(plan));
    LAB_TRY(const std::int64_t room, room_of(request, found));
    if (plan.bytes > room) {
        return no_room();
    }
    LAB_TRY(storage::ObjectFolder * objects, request.deps.objects());
    LAB_TRY(auto writer, objects->create());
    auto out = std::make_unique<ArtifactBytes>();
    out->impl_.reset(new ArtifactBytes::Impl{objects, std::move(writer), plan, room});
    return out;
}

Result<Json> keep_artifact(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    ArtifactBytes& bytes
) {
    LAB_TRY(const Run found, need_run_to_change(request, experiment, run));
    ArtifactBytes::Impl& impl = *bytes.impl_;
    Artifact one;
    one.id = request.deps.uuids->next();
    one.type = impl.plan.type;
    one.name = impl.plan.name;
    one.path = "experiments/" + found.experiment_id + "/runs/" + found.id + "/artifacts/" + one.id +
               "/" + one.name;
    LAB_TRY(one.content_hash, impl.writer.commit());
    one.bytes = impl.written;
    one.mime_type = impl.plan.mime_type.empty() ? "application/octet-stream" : impl.plan.mime_type;
    one.created_at = format_rfc3339(request.deps.clock->wall());
    LAB_CHECK(impl.objects->keep(request.ctx, object_of(one), one.mime_type));
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    // Whoever removes the last artifact of the same bytes holds the same.
    LAB_CHECK(Artifacts(request.session).hold_object(request.ctx, one.content_hash));
    LAB_CHECK(room_of(request, found));
    LAB_CHECK(Artifacts(request.session).create(request.ctx, found.key, one));
    if (!impl.objects->contains(one.content_hash)) {
        return Error(Code::unavailable, "the same bytes are being removed: send them again");
    }
    LAB_CHECK(transaction.commit(request.ctx));
    return show(found, one);
}

Result<ArtifactList> list_artifacts(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    std::optional<std::int64_t> below,
    std::int64_t limit,
    std::int64_t offset
) {
    LAB_TRY(const Run found, need_run_to_read(request, experiment, run));
    Artifacts artifacts(request.session);
    constexpr std::int64_t kNone = std::numeric_limits<std::int64_t>::max();
    LAB_TRY(
        auto listed,
        artifacts.list(request.ctx, found.key, limit + 1, offset, below.value_or(kNone))
    );
    LAB_TRY(const auto totals, artifacts.totals(request.ctx, found.key));
    ArtifactList out{.rows = {}, .total = totals.count, .more = std::ssize(listed) > limit};
    if (out.more) {
        listed.pop_back();
    }
    for (const Artifact& one : listed) {
        out.rows.push_back(show(found, one));
        out.last = one.key;
    }
    return out;
}

Result<Json> get_artifact(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::string& id
) {
    LAB_TRY(const Run found, need_run_to_read(request, experiment, run));
    LAB_TRY(const Artifact one, need_artifact(request, found, id));
    return show(found, one);
}

Result<Json> remove_artifact(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::string& id
) {
    LAB_TRY(const Run found, need_run_to_change(request, experiment, run));
    LAB_TRY(const Artifact one, need_artifact(request, found, id));
    LAB_TRY(storage::ObjectFolder * objects, request.deps.objects());
    // First where others keep it: should the rest fail, it is removed again.
    LAB_CHECK(objects->forget(request.ctx, object_of(one)));
    LAB_TRY(auto transaction, storage::Transaction::begin(request.ctx, request.session));
    Artifacts artifacts(request.session);
    LAB_CHECK(artifacts.remove(request.ctx, found.key, id));
    LAB_CHECK(transaction.commit(request.ctx));
    // Looked up and unlinked while it is held, so that nobody begins to need it in between; killed
    // here, the file stays and is in nobody's way.
    LAB_TRY(auto clearing, storage::Transaction::begin(request.ctx, request.session));
    LAB_CHECK(artifacts.hold_object(request.ctx, one.content_hash));
    LAB_TRY(const bool needed, artifacts.is_needed(request.ctx, one.content_hash));
    if (!needed) {
        ::unlink(objects->path_of(one.content_hash).c_str());
    }
    LAB_CHECK(clearing.commit(request.ctx));
    return show(found, one);
}

Result<FileToSend> artifact_file(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::string& id
) {
    LAB_TRY(const Run found, need_run_to_read(request, experiment, run));
    LAB_TRY(Artifact one, need_artifact(request, found, id));
    LAB_TRY(storage::ObjectFolder * objects, request.deps.objects());
    LAB_TRY(std::string path, objects->fetch(request.ctx, object_of(one)));
    return FileToSend{
        .path = std::move(path),
        .name = std::move(one.name),
        .mime_type = std::move(one.mime_type),
        .content_hash = std::move(one.content_hash),
        .bytes = one.bytes,
    };
}

Result<ArtifactLink> prepare_artifact(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const ArtifactPlan& plan
) {
    LAB_TRY(const Run found, need_run_to_change(request, experiment, run));
    LAB_CHECK(check_plan(plan));
    LAB_CHECK(room_of(request, found));
    return ArtifactLink{
        .holder = address_holder(request.caller),
        .experiment = found.experiment_id,
        .run = found.id,
        .plan = plan,
    };
}

std::string sign_artifact_link(const ArtifactLink& link, const SigningKeys& signing) {
    Json parts = {
        {"experiment", link.experiment},
        {"run", link.run},
        {"name", link.plan.name},
        {"type", link.plan.type},
        {"mime", link.plan.mime_type},
    };
    return sign_address(kAddressKind, link.holder, std::move(parts), signing);
}

Result<ArtifactLink> read_artifact_link(
    std::string_view token,
    std::string_view experiment,
    std::string_view run,
    WallTime now,
    const SigningKeys& signing
) {
    ArtifactLink out;
    LAB_TRY(const Json parts, read_address(kAddressKind, token, now, signing, out.holder));
    out.experiment = parts["experiment"].get<std::string>();
    out.run = parts["run"].get<std::string>();
    out.plan.name = parts["name"].get<std::string>();
    out.plan.type = parts["type"].get<std::string>();
    out.plan.mime_type = parts["mime"].get<std::string>();
    if (out.experiment != experiment || out.run != run) {
        return bad_address();
    }
    return out;
}

Caller artifact_link_caller(const ArtifactLink& link, const Caller& bearer) {
    return address_caller(link.holder, {Permission::run_experiment}, bearer);
}

}  // namespace lab::service
