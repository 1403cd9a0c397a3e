#include "storage/cache/impl/traced.h"

#include "platform/telemetry/span.h"

namespace lab::storage {

Result<redis::Value> traced_call(
    redis::BlockingClient& client, redis::Command command, Duration patience
) {
    const std::string name = command.words.empty() ? "" : command.words.front();
    Span span = child_span(name, SpanKind::client);
    span.set("db.system.name", "redis");
    span.set("db.operation.name", name);
    auto reply = client.call(std::move(command), patience);
    if (!reply) {
        span.fail(info(reply.error().code).wire_name);
    } else if (reply->is_error()) {
        span.fail("redis_error");
    }
    return reply;
}

}  // namespace lab::storage
