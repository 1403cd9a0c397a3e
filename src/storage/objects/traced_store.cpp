#include "storage/objects/traced_store.h"

#include "platform/telemetry/span.h"

namespace lab::storage {
namespace {

class TracedStore final : public ObjectStore {
  public:
    explicit TracedStore(std::shared_ptr<ObjectStore> store) : store_(std::move(store)) {}

    Status put_file(
        const Ctx& ctx,
        const std::string& key,
        const std::string& path,
        const std::string& content_type
    ) override {
        return traced("put_object", key, [&] {
            return store_->put_file(ctx, key, path, content_type);
        });
    }
    Status get(
        const Ctx& ctx,
        const std::string& key,
        const std::function<bool(std::string_view bytes)>& sink
    ) override {
        return traced("get_object", key, [&] { return store_->get(ctx, key, sink); });
    }
    Status remove(const Ctx& ctx, const std::string& key) override {
        return traced("delete_object", key, [&] { return store_->remove(ctx, key); });
    }
    /// Comes round for the health of the service, and belongs to nobody's work.
    Status check(const Ctx& ctx) override { return store_->check(ctx); }

  private:
    template <class Work>
    static Status traced(std::string_view operation, const std::string& key, const Work& work) {
        Span span = child_span(operation, SpanKind::client);
        span.set("rpc.system", "aws-api");
        span.set("rpc.service", "S3");
        span.set("rpc.method", operation);
        span.set("aws.s3.key", key);
        const SpanScope scope(span);
        Status done = work();
        if (!done) {
            span.fail(info(done.error().code).wire_name);
        }
        return done;
    }

    std::shared_ptr<ObjectStore> store_;
};

}  // namespace

std::shared_ptr<ObjectStore> trace_object_store(std::shared_ptr<ObjectStore> store) {
    return std::make_shared<TracedStore>(std::move(store));
}

}  // namespace lab::storage
