#include "api/impl/body_file.h"

#include <gtest/gtest.h>

#include <deque>
#include <filesystem>
#include <sstream>

namespace lab::api {
namespace {

/// Takes note of what is asked of it.
class OneExchange final : public http::Exchange {
  public:
    const http::RequestHead& head() const override { return head_; }
    const std::string& body() const override { return body_; }
    std::string take_body() override { return body_; }
    void respond(http::Response) override {}
    void begin_stream(int, http::Headers) override {}
    http::Sending write(std::string, std::function<void()>) override {
        return http::Sending::closed;
    }
    void end_stream() override {}
    void resume_body() override { ++resumed; }
    CancelToken cancelled() override { return {}; }
    void on_cancel(std::function<void()>) override {}
    void set_context(std::shared_ptr<void>) override {}
    int resumed = 0;

  private:
    http::RequestHead head_;
    std::string body_;
};

class BodyFileSinkTest : public testing::Test {
  protected:
    BodyFileSinkTest() {
        folder_ = testing::TempDir() + "/body_file_" + std::to_string(::getpid());
        std::filesystem::create_directories(folder_);
        sink_ = std::make_shared<BodyFileSink>(BodyFileSink::Deps{
            .folder = folder_,
            .submit =
                [this](Executor::Work&& work) {
                    if (full_) {
                        return false;
                    }
                    jobs_.push_back(std::move(work));
                    return true;
                },
            .begun = [](const auto&) {},
            .arrived =
                [this](const auto&, Result<std::shared_ptr<BodyFile>> file) {
                    ++arrivals_;
                    if (file) {
                        file_ = *file;
                    }
                },
            .busy = [this](const auto&) { ++busy_; },
        });
        sink_->on_begin(exchange_);
    }
    ~BodyFileSinkTest() override { std::filesystem::remove_all(folder_); }
    void work() {
        while (!jobs_.empty()) {
            auto job = std::move(jobs_.front());
            jobs_.pop_front();
            job();
        }
    }
    std::string content() const {
        std::ifstream file(file_->path(), std::ios::binary);
        std::ostringstream out;
        out << file.rdbuf();
        return out.str();
    }
    std::size_t files() const {
        return static_cast<std::size_t>(std::distance(
            std::filesystem::directory_iterator(folder_), std::filesystem::directory_iterator()
        ));
    }
    std::string folder_;
    std::deque<Executor::Work> jobs_;
    bool full_ = false;
    int arrivals_ = 0;
    int busy_ = 0;
    std::shared_ptr<BodyFile> file_;
    std::shared_ptr<OneExchange> exchange_ = std::make_shared<OneExchange>();
    std::shared_ptr<BodyFileSink> sink_;
};

using Flow = http::BodySink::Flow;

TEST_F(BodyFileSinkTest, KeepsABodyInOrderAndReadsNoMoreThanItCanWrite) {
    std::string all;
    for (int i = 0; i < 40; ++i) {
        const std::string piece(50'000, static_cast<char>('a' + i % 26));
        all += piece;
        if (sink_->on_bytes(piece) == Flow::pause) {
            EXPECT_FALSE(jobs_.empty());
            work();
        }
    }
    EXPECT_GT(exchange_->resumed, 5);
    sink_->on_complete();
    EXPECT_EQ(arrivals_, 0);
    work();
    ASSERT_EQ(arrivals_, 1);
    EXPECT_EQ(file_->bytes(), all.size());
    EXPECT_EQ(content(), all);
    file_ = nullptr;
    EXPECT_EQ(files(), 0U);
}

TEST_F(BodyFileSinkTest, AnEmptyBodyIsAnEmptyFile) {
    sink_->on_complete();
    work();
    ASSERT_EQ(arrivals_, 1);
    EXPECT_EQ(content(), "");
}

TEST_F(BodyFileSinkTest, OfABodyThatBreaksOffNothingStays) {
    EXPECT_EQ(sink_->on_bytes(std::string(BodyFileSink::kPieceBytes, 'a')), Flow::pause);
    work();
    EXPECT_EQ(files(), 1U);
    EXPECT_EQ(sink_->on_bytes(std::string(BodyFileSink::kPieceBytes, 'b')), Flow::pause);
    sink_->on_abort();
    work();
    EXPECT_EQ(arrivals_, 0);
    sink_ = nullptr;
    EXPECT_EQ(files(), 0U);
}

TEST_F(BodyFileSinkTest, WhereThereIsNoTimeItSaysSoOnce) {
    full_ = true;
    EXPECT_EQ(sink_->on_bytes(std::string(BodyFileSink::kPieceBytes, 'a')), Flow::pause);
    sink_->on_bytes("more");
    sink_->on_abort();
    EXPECT_EQ(busy_, 1);
    EXPECT_EQ(arrivals_, 0);
}

TEST_F(BodyFileSinkTest, AFolderThatIsNotThereIsAnError) {
    std::filesystem::remove_all(folder_);
    sink_->on_bytes("abc");
    sink_->on_complete();
    work();
    EXPECT_EQ(arrivals_, 1);
    EXPECT_EQ(file_, nullptr);
}

}  // namespace
}  // namespace lab::api
