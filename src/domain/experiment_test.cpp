#include "domain/experiment.h"

#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>

namespace lab::domain {
namespace {

// The transitions as the contract writes them.
const std::map<std::string, std::set<std::string>> kContract{
    {"draft", {"ready", "running", "archived"}},
    {"ready", {"running", "draft", "archived"}},
    {"running", {"paused", "completed", "failed", "cancelled"}},
    {"paused", {"running", "completed", "failed", "cancelled", "archived"}},
    {"completed", {"running", "archived"}},
    {"failed", {"running", "archived"}},
    {"cancelled", {"running", "archived"}},
    {"archived", {"ready"}},
};

TEST(ExperimentState, FollowsTheContract) {
    for (const auto& [from, after] : kContract) {
        for (const auto& [to, unused] : kContract) {
            const bool allowed = from == to || after.contains(to);
            EXPECT_EQ(may_follow(*experiment_state_from(from), *experiment_state_from(to)), allowed)
                << from << " -> " << to;
        }
        EXPECT_EQ(to_string(*experiment_state_from(from)), from);
    }
    EXPECT_FALSE(experiment_state_from("Running"));
}

}  // namespace
}  // namespace lab::domain
