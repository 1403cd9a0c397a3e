#include "service/dataset_links.h"

#include <nlohmann/json.hpp>

namespace lab::service {
namespace {

constexpr std::string_view kKind = "dataset link";

}  // namespace

std::string sign_link(const DatasetLink& link, const SigningKeys& signing) {
    Json parts = {
        {"use", static_cast<int>(link.use)},
        {"dataset", link.dataset_id},
        {"version", link.version},
        {"type", link.content_type},
        {"bytes", link.bytes},
        {"format", link.format},
        {"source", link.source},
        {"label", link.label},
        {"description", link.description},
        {"changelog", link.changelog},
    };
    return sign_address(kKind, link.holder, std::move(parts), signing);
}

Result<DatasetLink> read_link(
    std::string_view token,
    DatasetLink::Use use,
    std::string_view dataset_id,
    WallTime now,
    const SigningKeys& signing
) {
    DatasetLink out;
    LAB_TRY(const Json parts, read_address(kKind, token, now, signing, out.holder));
    out.use = static_cast<DatasetLink::Use>(parts["use"].get<int>());
    out.dataset_id = parts["dataset"].get<std::string>();
    out.version = parts["version"].get<std::int64_t>();
    // An address that an earlier release gave out has neither.
    out.content_type = parts.value("type", "");
    out.bytes = parts.value("bytes", std::int64_t{0});
    out.format = parts["format"].get<std::string>();
    out.source = parts["source"].get<std::string>();
    out.label = parts["label"].get<std::string>();
    out.description = parts["description"].get<std::string>();
    out.changelog = parts["changelog"].get<std::string>();
    if (out.use != use || out.dataset_id != dataset_id) {
        return bad_address();
    }
    return out;
}

Caller link_caller(const DatasetLink& link, const Caller& bearer) {
    using domain::Permission;
    return link.use == DatasetLink::Use::upload
               ? address_caller(link.holder, {Permission::update_dataset}, bearer)
               : address_caller(
                     link.holder, {Permission::read_dataset, Permission::export_data}, bearer
                 );
}

}  // namespace lab::service
