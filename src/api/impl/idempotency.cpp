#include "api/impl/idempotency.h"

#include "platform/crypto/sha256.h"
#include "service/idempotency.h"

#include <algorithm>

namespace lab::api {
namespace {

constexpr std::size_t kKeyMax = 255;

bool is_usable(std::string_view key) {
    return !key.empty() && key.size() <= kKeyMax &&
           std::ranges::all_of(key, [](char c) { return c >= 0x20 && c < 0x7f; });
}

/// Everything the answer depends on.
std::string hash_of(const Route& route, const Call& call, std::string_view body) {
    Sha256 hash;
    for (const std::string_view part :
         {std::string_view(call.head().method),
          std::string_view(call.head().path),
          std::string_view(call.head().query)}) {
        hash.update(part);
        hash.update(std::string_view("\0", 1));
    }
    if (route.body == BodyKind::stream) {
        hash.update(call.header("content-type"));  // says how a file is read
        hash.update(std::string_view("\0", 1));
    }
    hash.update(body);
    return hash.finish();
}

Reply replayed(const service::KeptAnswer& kept) {
    Reply reply;
    reply.status = kept.status;
    reply.text = kept.response;
    reply.headers.emplace_back("Idempotency-Replayed", "true");
    if (const auto said = parse_json(kept.response); said && said->is_object()) {
        const auto id = said->find("id");
        reply.audit_id = id != said->end() && id->is_string() ? id->get<std::string>() : "";
    }
    return reply;
}

}  // namespace

Result<std::optional<std::string>> idempotency_key(const Route& route, const Call& call) {
    const std::optional<std::string_view> given = call.given_header("idempotency-key");
    if (!given || route.method != "POST" || route.guard != Guard::permission) {
        return std::optional<std::string>();
    }
    if (!is_usable(*given)) {
        return Error(
            Code::bad_request, "Idempotency-Key must be 1 to 255 visible characters of ASCII"
        );
    }
    return std::optional(std::string(*given));
}

Result<Reply> run_once(const Route& route, Call& call, std::string_view body) {
    LAB_TRY(std::optional<std::string> key, idempotency_key(route, call));
    if (!key) {
        return route.handler(call);
    }
    service::Idempotent use(call.request(), *std::move(key), hash_of(route, call, body));
    LAB_TRY(const auto kept, use.claim());
    if (kept) {
        return replayed(*kept);
    }
    Result<Reply> reply = route.handler(call);
    if (!reply || reply->stream || reply->pieces || reply->status >= 300) {
        LAB_CHECK(use.release());
        return reply;
    }
    const std::optional<Json>& json = reply->json;
    LAB_CHECK(use.finish(reply->status, json ? dump_json(*json) : reply->text));
    return reply;
}

}  // namespace lab::api
