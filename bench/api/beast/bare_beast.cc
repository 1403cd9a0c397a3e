// The yardstick of GET /health: Boost.Beast and nothing else. Answers every GET with "OK"; one
// io_context a thread.  bare_beast THREADS: prints its port.
#include <boost/asio.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

namespace beast = boost::beast;
namespace http = beast::http;
namespace net = boost::asio;
using tcp = net::ip::tcp;

class Session : public std::enable_shared_from_this<Session> {
  public:
    explicit Session(tcp::socket socket) : socket_(std::move(socket)) {}

    void read() {
        request_ = {};
        http::async_read(
            socket_,
            buffer_,
            request_,
            [self = shared_from_this()](beast::error_code error, std::size_t) {
                if (!error) {
                    self->answer();
                }
            }
        );
    }

  private:
    void answer() {
        response_ = {};
        response_.version(11);
        response_.result(http::status::ok);
        response_.set(http::field::content_type, "text/plain; charset=utf-8");
        response_.keep_alive(request_.keep_alive());
        response_.body() = "OK";
        response_.prepare_payload();
        http::async_write(
            socket_,
            response_,
            [self = shared_from_this()](beast::error_code error, std::size_t) {
                if (!error && self->response_.keep_alive()) {
                    self->read();
                }
            }
        );
    }

    tcp::socket socket_;
    beast::flat_buffer buffer_;
    http::request<http::string_body> request_;
    http::response<http::string_body> response_;
};

int main(int argc, char** argv) {
    const std::size_t threads = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 2;
    std::vector<std::unique_ptr<net::io_context>> loops;
    for (std::size_t i = 0; i < threads; ++i) {
        loops.push_back(std::make_unique<net::io_context>(1));
    }
    tcp::acceptor acceptor(*loops[0], {net::ip::make_address("127.0.0.1"), 0});
    std::printf("%d\n", acceptor.local_endpoint().port());
    std::fflush(stdout);
    std::size_t next = 0;
    std::function<void()> accept = [&] {
        acceptor.async_accept(
            *loops[next++ % threads],
            [&](beast::error_code error, tcp::socket socket) {
                if (!error) {
                    socket.set_option(tcp::no_delay(true));
                    auto session = std::make_shared<Session>(std::move(socket));
                    net::post(*loops[(next - 1) % threads], [session] { session->read(); });
                }
                accept();
            }
        );
    };
    accept();
    std::vector<std::thread> workers;
    for (auto& loop : loops) {
        workers.emplace_back([&loop] {
            const auto guard = net::make_work_guard(*loop);
            loop->run();
        });
    }
    for (std::thread& worker : workers) {
        worker.join();
    }
}
