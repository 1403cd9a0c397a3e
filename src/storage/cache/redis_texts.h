#pragma once
#include "platform/redis/blocking_client.h"
#include "storage/cache/texts.h"

namespace lab::storage {

/// Texts in Redis, each under the SHA-256 of its name, until its life is over. Needs of the server:
/// GET, SET, INCR on keys that begin with `prefix`.
class RedisTexts final : public Texts {
  public:
    struct Options {
        std::string prefix;
        Duration lifetime = std::chrono::seconds(300);  ///< at least a millisecond
        Duration patience = std::chrono::milliseconds(50);
        std::size_t text_bytes_max = 512U << 10;  ///< a longer one is not kept: others wait for it
    };
    /// `client` outlives it.
    RedisTexts(redis::BlockingClient& client, Options options)
        : client_(client), options_(std::move(options)) {}

    std::optional<std::string> find(const std::string& name) override;
    void put(const std::string& name, const std::string& text) override;
    void clear() override;

  private:
    std::string key_of(const std::string& name) const;
    std::string era_key() const { return options_.prefix + "era"; }
    /// Texts of another era do not count; nullopt when nobody can be asked.
    std::optional<std::string> era();

    redis::BlockingClient& client_;
    const Options options_;
};

}  // namespace lab::storage
