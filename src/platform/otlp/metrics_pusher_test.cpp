#include "platform/otlp/metrics_pusher.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace lab::otlp {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Takes connections and never says a word.
class Silent {
  public:
    Silent() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in at{};
        at.sin_family = AF_INET;
        at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof at;
        auto* const address = reinterpret_cast<sockaddr*>(&at);
        EXPECT_EQ(::bind(socket_, address, size), 0);
        EXPECT_EQ(::listen(socket_, 8), 0);
        EXPECT_EQ(::getsockname(socket_, address, &size), 0);
        port_ = ntohs(at.sin_port);
    }
    ~Silent() {
        ::close(socket_);
        ::close(guest_);
    }
    Silent(const Silent&) = delete;
    Silent& operator=(const Silent&) = delete;
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
    /// Until somebody has come.
    void wait() { guest_ = ::accept(socket_, nullptr, nullptr); }

  private:
    int socket_;
    int guest_ = -1;
    int port_ = 0;
};

PusherOptions options_for(std::string endpoint, Duration interval) {
    PusherOptions out;
    out.exporter.sender.endpoint = std::move(endpoint);
    out.exporter.sender.timeout = seconds(60);
    out.interval = interval;
    return out;
}

TEST(MetricsPusher, SendsOnceMoreAtTheEndAndCountsWhatDoesNotArrive) {
    const SystemClock clock;
    Metrics metrics;
    std::vector<std::string> told;
    {
        // Port 1 of the loopback address: nothing listens there.
        MetricsPusher pusher(
            clock,
            metrics,
            options_for("http://127.0.0.1:1", hours(1)),
            [&](std::string_view problem) { told.emplace_back(problem); }
        );
        pusher.close_soon();
        pusher.close(seconds(20));
    }
    ASSERT_EQ(told.size(), 1U);
    EXPECT_NE(told[0], "");
    const std::string text = metrics.text();
    EXPECT_NE(text.find("metric_pushes_total{outcome=\"failed\"} 1\n"), text.npos) << text;
}

TEST(MetricsPusher, TheEndDoesNotWaitForWhoeverIsSilent) {
    const SystemClock clock;
    Metrics metrics;
    Silent silent;
    const TimePoint begun = clock.now();
    {
        MetricsPusher pusher(
            clock, metrics, options_for(silent.url(), milliseconds(1)), [](std::string_view) {}
        );
        silent.wait();
        pusher.close(milliseconds(1));
    }
    EXPECT_LT(clock.now() - begun, seconds(30)) << "the time-out is a minute";
}

}  // namespace
}  // namespace lab::otlp
