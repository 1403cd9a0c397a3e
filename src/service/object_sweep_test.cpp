#include "service/object_sweep.h"

#include "service/impl/test_platform.h"
#include "service/platform_datasets.h"

#include <sys/stat.h>

#include <algorithm>

namespace lab::service {
namespace {

class ObjectSweep : public test::PlatformTest {
  protected:
    std::string dataset(const char* name, std::string_view rows) {
        const Json body = {{"name", name}};
        const std::string id =
            create(ann_, dataset_noun(), dump_json(body).c_str()).value("id", "");
        const auto arrived = take_bytes(as(ann_), id, {.format = "jsonl"}, rows);
        EXPECT_TRUE(arrived) << (arrived ? "" : words(arrived.error()));
        return id;
    }
    void remove(const std::string& id) {
        EXPECT_TRUE(remove_noun(as(ann_), dataset_noun(), id, std::nullopt));
    }
    /// Files are as old as the machine says; the clock of the test goes by itself.
    std::size_t sweep(bool all) {
        constexpr Duration kCenturies = std::chrono::hours(24 * 365 * 100);
        const auto gone = sweep_objects(as(root_), all ? -kCenturies : kCenturies);
        EXPECT_TRUE(gone) << (gone ? "" : words(gone.error()));
        return gone ? *gone : 999;
    }
    std::size_t objects() {
        const auto files = storage::test::files_below(objects_.root());
        return static_cast<std::size_t>(std::ranges::count_if(files, [](const std::string& file) {
            return !file.ends_with(".idx");
        }));
    }
};

TEST_F(ObjectSweep, TakesRowsOfRemovedDatasetsAndNoOthers) {
    const std::string one = dataset("one", "{\"a\":1}\n");
    const std::string two = dataset("two", "{\"a\":2}\n");
    const std::string same = dataset("same", "{\"a\":1}\n");
    EXPECT_EQ(objects(), 2U);
    EXPECT_EQ(sweep(true), 0U);
    remove(two);
    EXPECT_EQ(sweep(false), 0U) << "what is new may be about to be needed";
    EXPECT_EQ(sweep(true), 1U);
    remove(one);
    EXPECT_EQ(sweep(true), 0U) << "another dataset has the same rows";
    EXPECT_TRUE(open_rows_of(as(ann_), same, ""));
    remove(same);
    EXPECT_EQ(sweep(true), 1U);
    EXPECT_TRUE(storage::test::files_below(objects_.root()).empty()) << "nor is an index left";
}

}  // namespace
}  // namespace lab::service
