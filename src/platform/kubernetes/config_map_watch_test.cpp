#include "platform/kubernetes/config_map_watch.h"

#include "support/fake_llm_server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <thread>

namespace lab::kubernetes {
namespace {

using namespace std::chrono_literals;
using test::FakeLlmServer;
using test::respond;
using test::Script;
using test::ServerRequest;
namespace fs = std::filesystem;

const std::string kAway(info(Code::unavailable).wire_name);

std::string object(const std::string& version, const std::string& mode) {
    return R"({"metadata":{"name":"settings","resourceVersion":")" + version +
           R"("},"data":{"MODE":")" + mode + R"("}})";
}
std::string line(const std::string& type, const std::string& what) {
    return R"({"type":")" + type + R"(","object":)" + what + "}\n";
}
Script list(const std::string& version, const std::string& mode) {
    return respond(
        200,
        R"({"metadata":{"resourceVersion":")" + version + R"("},"items":[)" +
            (mode.empty() ? "" : object("1", mode)) + "]}"
    );
}
Script stream() { return test::chunked_head(200, {{"Content-Type", "application/json"}}); }
bool is_watch(const ServerRequest& request) { return request.target.contains("&watch=1"); }

/// A watch of one server on a thread of its own, and what it told.
class Watched : public testing::Test {
  protected:
    Watched() : folder_(fs::path(testing::TempDir()) / ("watch" + std::to_string(::getpid()))) {
        fs::create_directories(folder_);
        write("token", "t0ken");
        write("namespace", "lab");
        write("ca.crt", "pem");
    }
    ~Watched() override {
        end_.cancel(CancelReason::shutdown);
        if (thread_.joinable()) {
            thread_.join();
        }
        fs::remove_all(folder_);
    }
    void write(const char* name, const std::string& text) const {
        std::ofstream(folder_ / name) << text;
    }
    void follow(FakeLlmServer::Handler handler) {
        server_ = std::make_unique<FakeLlmServer>(std::move(handler));
        WatchOptions options;
        options.url = server_->url();
        options.account_folder = folder_.string();
        options.name = "settings";
        options.pause_min = 1ms;
        options.pause_max = 4ms;
        options.refused_pause = refused_pause_;
        watch_ = std::make_unique<ConfigMapWatch>(
            clock_,
            options,
            [this](const ConfigMapValues& values) {
                const auto found = values.find("MODE");
                add(found == values.end() ? "none" : found->second);
            },
            [this](const Status& status) {
                add(status ? "good" : std::string(info(status.error().code).wire_name));
            }
        );
        thread_ = std::thread([this] { watch_->run(Ctx(clock_, end_)); });
    }
    void add(std::string word) {
        const std::scoped_lock lock(mutex_);
        if (said_.empty() || said_.back() != word) {
            said_.push_back(std::move(word));
        }
        changed_.notify_all();
    }
    bool is_said(const std::string& word) const {
        return std::ranges::find(said_, word) != said_.end();
    }
    ::testing::AssertionResult waits_for(const std::string& word) {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, 10s, [&] { return is_said(word); })) {
            return ::testing::AssertionSuccess();
        }
        return ::testing::AssertionFailure() << word << " was not said";
    }

    SystemClock clock_;
    fs::path folder_;
    CancelToken end_;
    Duration refused_pause_ = 1ms;
    std::unique_ptr<FakeLlmServer> server_;
    std::unique_ptr<ConfigMapWatch> watch_;
    std::thread thread_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> said_;
};

TEST_F(Watched, ListsThenFollowsFromThere) {
    follow([](const ServerRequest& request) {
        if (!is_watch(request)) {
            return list("41", "a");
        }
        return stream() + test::chunk(line("MODIFIED", object("42", "b"))) +
               test::chunk(line("DELETED", object("43", "b"))) + Script{test::hang()};
    });
    EXPECT_TRUE(waits_for("b"));
    EXPECT_TRUE(waits_for("none"));
    const std::scoped_lock lock(mutex_);
    EXPECT_EQ(said_, (std::vector<std::string>{"a", "good", "b", "none"}));
    const auto asked = server_->requests();
    ASSERT_EQ(asked.size(), 2U);
    const std::string path =
        "/api/v1/namespaces/lab/configmaps?fieldSelector=metadata.name%3Dsettings";
    EXPECT_EQ(asked[0].target, path);
    EXPECT_EQ(asked[0].header("authorization"), "Bearer t0ken");
    EXPECT_EQ(
        asked[1].target,
        path + "&watch=1&allowWatchBookmarks=true&resourceVersion=41&timeoutSeconds=30"
    );
}

TEST_F(Watched, ATokenThatWasRotatedIsUsed) {
    follow([&](const ServerRequest& request) {
        if (request.header("authorization") == "Bearer t0ken") {
            write("token", "n3xt");
            return respond(401, "{}");
        }
        return is_watch(request) ? stream() + Script{test::hang()} : list("1", "a");
    });
    EXPECT_TRUE(waits_for("UNAUTHORIZED"));
    EXPECT_TRUE(waits_for("a"));
}

TEST_F(Watched, WhatEndsAWatchIsMendedByAList) {
    const std::vector<Script> ends{
        stream() + test::chunk(line("ERROR", R"({"code":410})")) + Script{test::hang()},
        stream() + test::chunk("what is this\n") + Script{test::hang()},
        stream() + test::chunk(line("BOOKMARK", object("9", ""))) +
            Script{test::reset_connection()},
        Script{test::close_connection()},
        respond(500, "{}"),
        respond(410, "{}"),
        respond(200, ""),
    };
    follow([&](const ServerRequest& request) {
        const auto round = static_cast<std::size_t>(request.number - 1) / 2;
        if (!is_watch(request)) {
            return list("1", "v" + std::to_string(round));
        }
        return round < ends.size() ? ends[round] : stream() + Script{test::hang()};
    });
    EXPECT_TRUE(waits_for("v" + std::to_string(ends.size())));
}

TEST_F(Watched, WhoMayNotIsToldAndAsksSeldom) {
    refused_pause_ = 10min;
    follow([](const ServerRequest&) { return respond(403, R"({"message":"secret"})"); });
    EXPECT_TRUE(waits_for("FORBIDDEN"));
    EXPECT_FALSE(server_->wait_for_requests(2, 100ms));
}

TEST_F(Watched, WithoutAnAccountNobodyIsAsked) {
    fs::remove(folder_ / "token");
    refused_pause_ = 10min;
    follow([](const ServerRequest&) { return respond(200, "{}"); });
    EXPECT_TRUE(waits_for("NOT_FOUND"));
    EXPECT_EQ(server_->request_count(), 0);
}

TEST_F(Watched, ASingleFailureIsNoNewsAndSeveralAre) {
    follow([](const ServerRequest& request) {
        if (is_watch(request)) {
            return stream() + Script{test::hang()};
        }
        return request.number == 1 ? respond(503, "{}") : list("1", "a");
    });
    EXPECT_TRUE(waits_for("good"));
    {
        const std::scoped_lock lock(mutex_);
        EXPECT_FALSE(is_said(kAway));
    }
}

TEST_F(Watched, AServerThatStaysAwayIsSaid) {
    follow([](const ServerRequest& request) {
        return request.number < 4  ? respond(503, "{}")
               : is_watch(request) ? stream() + Script{test::hang()}
                                   : list("1", "a");
    });
    EXPECT_TRUE(waits_for(kAway));
    EXPECT_TRUE(waits_for("good"));
}

TEST_F(Watched, ItEndsAtOnceWhenItIsToldTo) {
    follow([](const ServerRequest& request) {
        return is_watch(request) ? stream() + Script{test::hang()} : list("1", "a");
    });
    EXPECT_TRUE(waits_for("good"));
    EXPECT_TRUE(server_->wait_for_requests(2));
    const TimePoint begun = clock_.now();
    end_.cancel(CancelReason::shutdown);
    thread_.join();
    EXPECT_LT(clock_.now() - begun, 2s);
}

}  // namespace
}  // namespace lab::kubernetes
