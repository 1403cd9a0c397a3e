#include "service/uses.h"

#include "base/text.h"
#include "platform/json/json.h"
#include "storage/store/references.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

using storage::ResourceKind;

/// Rows that are looked at for each kind: enough to tell that there are some.
constexpr std::int64_t kReferrersMax = 100;
constexpr std::size_t kShownMax = 5;

bool names_id(const Json& value, const std::string& id) {
    if (const auto* text = value.get_ptr<const std::string*>()) {
        return to_lower(*text) == id;
    }
    return value.is_structured() &&
           std::ranges::any_of(value, [&](const Json& inside) { return names_id(inside, id); });
}

struct Kind {
    ResourceKind kind;
    std::string_view one;
    std::string_view several;
};
constexpr Kind kKinds[] = {
    {ResourceKind::experiment, "an experiment uses", "experiments use"},
    {ResourceKind::model, "a model uses", "models use"},
    {ResourceKind::evaluation, "an evaluation uses", "evaluations use"},
};

/// An id in a description or in metadata is talk; in a config it is use.
Result<std::vector<storage::Referrer>> users_of(
    const Request& request, ResourceKind kind, const storage::Resource& one
) {
    LAB_TRY(
        auto found,
        storage::find_referrers(request.ctx, request.session, kind, one.org, one.id, kReferrersMax)
    );
    std::vector<storage::Referrer> out;
    for (storage::Referrer& referrer : found) {
        LAB_TRY(const Json body, parse_json(referrer.body));
        const auto config = body.find("config");
        if (referrer.id != one.id && config != body.end() && names_id(*config, one.id)) {
            out.push_back(std::move(referrer));
        }
    }
    return out;
}

}  // namespace

Status refuse_while_used(
    const Request& request, std::string_view noun, const storage::Resource& one
) {
    for (const Kind& kind : kKinds) {
        LAB_TRY(const auto users, users_of(request, kind.kind, one));
        if (users.empty()) {
            continue;
        }
        // Whose objects these are may be none of the caller's business: then only that they exist.
        std::vector<std::string> visible;
        storage::Resources resources(request.session, kind.kind);
        for (const storage::Referrer& user : users) {
            LAB_TRY(const auto seen, resources.find(request.ctx, request.caller.viewer(), user.id));
            if (seen && visible.size() < kShownMax) {
                visible.push_back(user.id);
            }
        }
        const std::string who =
            users.size() == 1 ? std::string(kind.one)
                              : std::to_string(users.size()) + " " + std::string(kind.several);
        Error error(Code::conflict, who + " this " + std::string(noun));
        if (!visible.empty()) {
            error.details.push_back({"used_by", join(visible, ", ")});
        }
        return error;
    }
    return ok();
}

}  // namespace lab::service
