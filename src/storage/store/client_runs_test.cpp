#include "storage/store/client_runs.h"

#include "storage/store/impl/test_store.h"

#include <gtest/gtest.h>

namespace lab::storage {
namespace {

class ClientRunsContract : public test::StoreTest {
  protected:
    std::int64_t run_ = Runs(*session_).create(ctx_, test::new_run("a")).value().key;
    std::int64_t other_ = Runs(*session_).create(ctx_, test::new_run("b")).value().key;
    ClientRuns clients_{*session_};
};

TEST_P(ClientRunsContract, ASampleReportedTwiceIsThereOnce) {
    const ClientSample one{.client_id = "s1", .body = "{\"a\":1}", .created_at = "t"};
    const ClientSample two{.client_id = "s2", .body = "{}", .created_at = "t"};
    EXPECT_EQ(clients_.add_samples(ctx_, run_, std::vector{one, two}).value(), 2);
    EXPECT_EQ(clients_.add_samples(ctx_, run_, std::vector{two, one}).value(), 0);
    EXPECT_EQ(clients_.add_samples(ctx_, other_, std::vector{one}).value(), 1);
    EXPECT_EQ(clients_.count_samples(ctx_, run_).value(), 2);
    const auto listed = clients_.list_samples(ctx_, run_, 0, 10).value();
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_EQ(listed[0].client_id, "s1");
    EXPECT_EQ(listed[0].body, "{\"a\":1}");
    const auto rest = clients_.list_samples(ctx_, run_, listed[0].number, 10).value();
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(rest[0].client_id, "s2");
}

TEST_P(ClientRunsContract, PointsKeepEveryDigit) {
    const MetricPoint point{.name = "loss", .step = 3, .value = 0.1 + 0.2, .timestamp = "t1"};
    EXPECT_EQ(clients_.add_points(ctx_, run_, std::vector{point, point}).value(), 1);
    const auto listed = clients_.list_points(ctx_, run_, 10).value();
    ASSERT_EQ(listed.size(), 1U);
    EXPECT_EQ(listed[0].value, 0.1 + 0.2);
    EXPECT_EQ(listed[0].step, 3);
    EXPECT_TRUE(clients_.list_points(ctx_, other_, 10).value().empty());
}

TEST_P(ClientRunsContract, APointWithoutATimeIsKnownByItsValue) {
    const auto add = [&](double value, const std::string& when, bool timed) {
        const MetricPoint point{
            .name = "loss", .step = 1, .value = value, .timestamp = when, .timed = timed
        };
        return clients_.add_points(ctx_, run_, std::vector{point}).value();
    };
    EXPECT_EQ(add(0.5, "t1", false), 1);
    EXPECT_EQ(add(0.5, "t2", false), 0) << "sent again";
    EXPECT_EQ(add(0.25, "t3", false), 1);
    EXPECT_EQ(add(0.5, "t4", true), 1) << "who gives times means each of them";
    EXPECT_EQ(clients_.list_points(ctx_, run_, 10)->size(), 3U);
    const MetricPoint untimed{.name = "loss", .step = 1, .value = 0.5, .timed = false};
    EXPECT_EQ(clients_.add_points(ctx_, other_, std::vector{untimed}).value(), 1);
}

LAB_ALL_BACKENDS(ClientRunsContract);

}  // namespace
}  // namespace lab::storage
