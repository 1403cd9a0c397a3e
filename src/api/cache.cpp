#include "api/cache.h"

#include <nlohmann/json.hpp>

namespace lab::api {
namespace {

Route cache_route(std::string_view path, std::string_view summary, Handler handler) {
    Route out;
    out.method = "POST";
    out.path = path;
    out.summary = summary;
    out.tag = "Operations";
    out.guard = Guard::admin;
    out.body = BodyKind::json;
    out.body_optional = true;
    out.any_content_type = true;  // operators call it with curl and no header
    out.success = 202;
    out.audit = {
        .event = "configuration",
        .action = "config_change",
        .resource = "system",
        .must_be_written = true,
    };
    out.handler = std::move(handler);
    return out;
}

Reply accepted(Json said) {
    Reply reply = reply_json(std::move(said), 202);
    reply.audit_id = "cache";
    return reply;
}

}  // namespace

std::vector<Route> cache_routes(const CacheControl& control) {
    std::vector<Route> out;
    out.push_back(cache_route(
        "/admin/cache/warm",
        "Make the reports of the latest finished runs, in the background, and keep them",
        [control](Call&) -> Result<Reply> {
            if (!control.warm || !control.warm()) {
                return Error(Code::unavailable, "there is more to do than can be done: try again");
            }
            return accepted({{"status", "accepted"}, {"cache", "reports"}});
        }
    ));
    out.push_back(cache_route(
        "/admin/cache/clear",
        "Forget everything that is kept for speed; nothing is lost",
        [control](Call&) -> Result<Reply> {
            const std::size_t cleared = control.clear ? control.clear() : 0;
            return accepted({{"status", "accepted"}, {"cache", "reports"}, {"cleared", cleared}});
        }
    ));
    return out;
}

}  // namespace lab::api
