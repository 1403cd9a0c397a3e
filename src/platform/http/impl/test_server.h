#pragma once
#include "platform/http/server.h"
#include "support/raw_client.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <thread>

namespace lab::http {

/// Waits until `condition` holds, at most `limit`. For what another thread is about to do.
template <class Condition>
bool wait_until(Condition condition, Duration limit = std::chrono::seconds(20)) {
    const auto until = std::chrono::steady_clock::now() + limit;
    while (!condition()) {
        if (std::chrono::steady_clock::now() > until) {
            return false;
        }
        std::this_thread::yield();
    }
    return true;
}

/// An application made of functions, which remembers what it saw. Without functions it buffers
/// bodies of up to 1,000 bytes and answers each request with "METHOD TARGET BODY".
class TestApplication final : public Application {
  public:
    struct Done {
        std::string target;  ///< empty without a head
        int status;
        std::uint64_t bytes_in;
        std::uint64_t bytes_out;
        bool complete;
        std::shared_ptr<void> context;
    };
    struct Refused {
        int status;
        std::string code;
        std::string why;
        bool has_head;
    };

    std::function<BodyPlan(const RequestHead&)> plan;
    std::function<void(std::shared_ptr<Exchange>)> request;
    std::function<Response(int)> refusal;

    BodyPlan on_head(const RequestHead& head) override {
        return plan ? plan(head) : BodyPlan{.bytes_max = 1'000};
    }
    void on_request(std::shared_ptr<Exchange> exchange) override {
        if (request) {
            request(std::move(exchange));
            return;
        }
        Response response;
        response.body =
            exchange->head().method + " " + exchange->head().target + " " + exchange->body();
        exchange->respond(std::move(response));
    }
    Response refuse(
        int status, std::string_view code, std::string_view why, const RequestHead* head
    ) override {
        const std::lock_guard lock(mutex_);
        refused_.push_back({status, std::string(code), std::string(why), head != nullptr});
        return refusal ? refusal(status) : Response{.body = std::string(code)};
    }
    void on_response_sent(const Sent& sent) override {
        const std::lock_guard lock(mutex_);
        done_.push_back({
            .target = sent.head == nullptr ? "" : sent.head->target,
            .status = sent.status,
            .bytes_in = sent.bytes_in,
            .bytes_out = sent.bytes_out,
            .complete = sent.complete,
            .context = sent.context,
        });
    }

    std::vector<Done> done() const {
        const std::lock_guard lock(mutex_);
        return done_;
    }
    std::vector<Refused> refused() const {
        const std::lock_guard lock(mutex_);
        return refused_;
    }

  private:
    mutable std::mutex mutex_;
    std::vector<Done> done_;
    std::vector<Refused> refused_;
};

/// Requests that wait for the test to answer them.
class Waiting {
  public:
    void put(std::shared_ptr<Exchange> exchange) {
        const std::lock_guard lock(mutex_);
        exchanges_[exchange->head().target] = std::move(exchange);
    }
    std::size_t size() const {
        const std::lock_guard lock(mutex_);
        return exchanges_.size();
    }
    /// The one with this target, when it has come; it does not wait any more.
    std::shared_ptr<Exchange> take(const std::string& target) {
        std::shared_ptr<Exchange> found;
        wait_until([&] {
            const std::lock_guard lock(mutex_);
            const auto at = exchanges_.find(target);
            if (at == exchanges_.end()) {
                return false;
            }
            found = std::move(at->second);
            exchanges_.erase(at);
            return true;
        });
        return found;
    }
    void respond(const std::string& target, Response response) {
        if (const auto exchange = take(target)) {
            exchange->respond(std::move(response));
        } else {
            ADD_FAILURE() << target << " has not come";
        }
    }

  private:
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Exchange>> exchanges_;
};

/// A server with a test application on the real clock. Tests set what they need, then start().
class ServerTest : public ::testing::Test {
  protected:
    /// Before what derived classes own.
    void TearDown() override { server.reset(); }
    void start() { start(system_clock_); }
    void start(const Clock& clock) {
        auto started = Server::start(clock, options, app);
        ASSERT_TRUE(started) << started.error().message;
        server = *std::move(started);
    }
    test::RawClient connect() { return test::RawClient(server->port()); }
    /// Sends and gives the status of the answer; 0 = none came.
    static int ask(test::RawClient& client, std::string_view bytes) {
        client.send(bytes);
        const auto response = client.receive();
        return response ? response->status : 0;
    }

    SystemClock system_clock_;
    TestApplication app;
    ServerOptions options;
    std::unique_ptr<Server> server;
};

}  // namespace lab::http
