#include "storage/cache/redis_texts.h"

#include "platform/crypto/sha256.h"
#include "storage/cache/impl/traced.h"

namespace lab::storage {

using redis::Value;

std::string RedisTexts::key_of(const std::string& name) const {
    return options_.prefix + sha256_hex(name);
}

std::optional<std::string> RedisTexts::era() {
    const auto reply = traced_call(client_, {{"GET", era_key()}, era_key()}, options_.patience);
    if (!reply || reply->is_error()) {
        return std::nullopt;
    }
    return reply->text + "\n";
}

std::optional<std::string> RedisTexts::find(const std::string& name) {
    const auto now = era();
    if (!now) {
        return std::nullopt;
    }
    const std::string key = key_of(name);
    auto reply = traced_call(client_, {{"GET", key}, key}, options_.patience);
    if (!reply || reply->kind != Value::Kind::text || !reply->text.starts_with(*now)) {
        return std::nullopt;
    }
    return reply->text.substr(now->size());
}

void RedisTexts::put(const std::string& name, const std::string& text) {
    if (text.size() > options_.text_bytes_max) {
        return;
    }
    const auto now = era();
    if (!now) {
        return;
    }
    using std::chrono::duration_cast;
    using std::chrono::milliseconds;
    std::string key = key_of(name);
    std::string life = std::to_string(duration_cast<milliseconds>(options_.lifetime).count());
    client_.tell({{"SET", key, *now + text, "PX", std::move(life)}, std::move(key)});
}

void RedisTexts::clear() { client_.tell({{"INCR", era_key()}, era_key()}); }

}  // namespace lab::storage
