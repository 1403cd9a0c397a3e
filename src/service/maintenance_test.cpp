#include "service/maintenance.h"

#include "service/impl/test_platform.h"

namespace lab::service {
namespace {

class Maintenance : public test::PlatformTest {};

TEST_F(Maintenance, IsOnWhenEitherSwitchIs) {
    MaintenanceFlag flag(true);
    EXPECT_TRUE(flag.on());
    flag.set_by_operator(true);
    flag.set_by_setting(false);
    EXPECT_TRUE(flag.on());
    flag.set_by_operator(false);
    EXPECT_FALSE(flag.on());
}

TEST_F(Maintenance, StandsInTheStoreWithWhoAndWhy) {
    EXPECT_EQ(maintenance_status(ctx_, *session_).value()["enabled"], false);
    Caller operators = root_;
    operators.email = "root@example.org";
    ASSERT_TRUE(set_maintenance(as(operators), true, "a new disk"));
    const Json on = maintenance_status(ctx_, *session_).value();
    EXPECT_EQ(on["enabled"], true);
    EXPECT_EQ(on["reason"], "a new disk");
    EXPECT_EQ(on["changed_by"], "root@example.org");
    EXPECT_TRUE(on["changed_at"].is_string());
    ASSERT_TRUE(set_maintenance(as(local_caller()), false, ""));
    const Json off = maintenance_status(ctx_, *session_).value();
    EXPECT_EQ(off["enabled"], false);
    EXPECT_EQ(off["reason"], nullptr);
    EXPECT_EQ(off["changed_by"], "local");
}

TEST_F(Maintenance, TakesNoNovelForAReason) {
    const auto refused = set_maintenance(as(root_), true, std::string(501, 'x'));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().details.at(0).field, "reason");
    EXPECT_EQ(maintenance_status(ctx_, *session_).value()["enabled"], false);
}

}  // namespace
}  // namespace lab::service
