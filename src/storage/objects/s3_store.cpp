#include "storage/objects/s3_store.h"

namespace lab::storage {
namespace {

class S3Store final : public ObjectStore {
  public:
    S3Store(
        const Clock& clock,
        S3Options options,
        aws::ChainOptions credentials,
        http::ClientOptions http
    )
        : http_(clock, std::move(http)),
          credentials_(clock, http_, std::move(credentials)),
          client_(std::move(options), clock, http_, credentials_, entropy()) {}

    Status put_file(
        const Ctx& ctx,
        const std::string& key,
        const std::string& path,
        const std::string& content_type
    ) override {
        return client_.put_file(ctx, key, path, {.content_type = content_type});
    }
    Status get(const Ctx& ctx, const std::string& key, const S3Sink& sink) override {
        return client_.get(ctx, key, std::nullopt, sink);
    }
    Status remove(const Ctx& ctx, const std::string& key) override {
        return client_.remove(ctx, key);
    }
    Status check(const Ctx& ctx) override { return client_.check(ctx); }
    bool is_silent() override { return client_.is_silent(); }

  private:
    http::BlockingClient http_;
    aws::CredentialChain credentials_;
    S3Client client_;
};

}  // namespace

std::unique_ptr<ObjectStore> make_s3_store(
    const Clock& clock, S3Options options, aws::ChainOptions credentials, http::ClientOptions http
) {
    return std::make_unique<S3Store>(
        clock, std::move(options), std::move(credentials), std::move(http)
    );
}

}  // namespace lab::storage
