#include "api/impl/held_refusals.h"

#include <gtest/gtest.h>

#include <vector>

namespace lab::api {
namespace {

/// Writes down what it is answered.
class Recorder final : public http::Exchange {
  public:
    Recorder(std::vector<int>& answers, int number) : answers_(answers), number_(number) {}
    const http::RequestHead& head() const override { return head_; }
    const std::string& body() const override { return body_; }
    std::string take_body() override { return {}; }
    void respond(http::Response response) override {
        EXPECT_EQ(response.status, 503);
        answers_.push_back(number_);
    }
    void begin_stream(int /*status*/, http::Headers /*headers*/) override {}
    http::Sending write(std::string /*bytes*/, std::function<void()> /*drained*/) override {
        return http::Sending::closed;
    }
    void end_stream() override {}
    void resume_body() override {}
    CancelToken cancelled() override { return {}; }
    void on_cancel(std::function<void()> /*gone*/) override {}
    void set_context(std::shared_ptr<void> /*context*/) override {}

  private:
    std::vector<int>& answers_;
    int number_;
    http::RequestHead head_;
    std::string body_;
};

class HeldRefusalsTest : public testing::Test {
  protected:
    void hold(int number) {
        held_.hold(now_, std::make_shared<Recorder>(answers_, number), {.status = 503});
    }

    HeldRefusals held_;
    std::vector<int> answers_;
    TimePoint now_{std::chrono::hours(1)};
};

TEST_F(HeldRefusalsTest, GoOutInOrderWhenTheyHaveWaited) {
    hold(1);
    now_ += HeldRefusals::kHold / 2;
    hold(2);
    held_.release(now_);
    EXPECT_TRUE(answers_.empty());
    now_ += HeldRefusals::kHold / 2;
    held_.release(now_);
    EXPECT_EQ(answers_, std::vector({1}));
    held_.release(now_ + HeldRefusals::kHold);
    EXPECT_EQ(answers_, std::vector({1, 2}));
    held_.release(TimePoint::max());
    EXPECT_EQ(answers_.size(), 2U);
}

TEST_F(HeldRefusalsTest, TheOldestMakeRoomForTheNew) {
    const int most = static_cast<int>(HeldRefusals::kHeldMax);
    for (int i = 0; i < most + 3; ++i) {
        hold(i);
    }
    EXPECT_EQ(answers_, std::vector({0, 1, 2}));
    held_.release(now_ + HeldRefusals::kHold);
    EXPECT_EQ(answers_.size(), HeldRefusals::kHeldMax + 3);
}

TEST_F(HeldRefusalsTest, NothingWaitsAfterTheEnd) {
    hold(1);
    held_.end();
    EXPECT_EQ(answers_, std::vector({1}));
    hold(2);
    EXPECT_EQ(answers_, std::vector({1, 2}));
}

}  // namespace
}  // namespace lab::api
