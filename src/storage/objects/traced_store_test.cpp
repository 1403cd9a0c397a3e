#include "storage/objects/traced_store.h"

#include "support/kept_spans.h"
#include "support/manual_clock.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

/// Holds nothing: what is fetched is not there, all else goes well.
class EmptyStore final : public ObjectStore {
  public:
    Status put_file(const Ctx&, const std::string&, const std::string&, const std::string&)
        override {
        return ok();
    }
    Status get(const Ctx&, const std::string&, const std::function<bool(std::string_view)>&)
        override {
        return Error(Code::not_found, "there is no such object");
    }
    Status remove(const Ctx&, const std::string&) override { return ok(); }
    Status check(const Ctx&) override { return ok(); }
};

TEST(TracedStore, UsesAreSpansAndChecksAreNot) {
    test::KeptSpans kept;
    const auto store = trace_object_store(std::make_shared<EmptyStore>());
    const Ctx ctx(kept.clock());
    EXPECT_TRUE(store->put_file(ctx, "a", "/a", "text/plain"));  // nobody traces
    const SpanScope scope(kept.place());
    EXPECT_TRUE(store->put_file(ctx, "runs/1/a.json", "/a", "text/plain"));
    EXPECT_FALSE(store->get(ctx, "runs/1/b.json", {}));
    EXPECT_TRUE(store->remove(ctx, "runs/1/a.json"));
    EXPECT_TRUE(store->check(ctx));
    ASSERT_EQ(kept.spans().size(), 3U);
    const auto put = kept.find("put_object");
    ASSERT_TRUE(put);
    EXPECT_EQ(put->kind, SpanKind::client);
    EXPECT_FALSE(put->failed);
    EXPECT_EQ(*test::attribute_of(*put, "aws.s3.key"), SpanValue(std::string("runs/1/a.json")));
    const auto got = kept.find("get_object");
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->failed);
    EXPECT_EQ(*test::attribute_of(*got, "error.type"), SpanValue(std::string("NOT_FOUND")));
}

}  // namespace
}  // namespace lab::storage
