#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::test {

struct RawResponse {
    int status = 0;
    std::string head;  ///< with the empty line
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;  ///< without chunk framing
    /// First value, compared without case; empty when absent.
    std::string_view header(std::string_view name) const;
    /// How many there are of it.
    int count(std::string_view name) const;
};

/// A blocking connection to a server under test that sends what it is told, byte for byte, and
/// reads responses. Nothing waits longer than the limit.
class RawClient {
  public:
    explicit RawClient(
        std::uint16_t port, std::chrono::milliseconds limit = std::chrono::seconds(20)
    );
    ~RawClient();
    RawClient(RawClient&& other) noexcept;
    RawClient& operator=(RawClient&&) = delete;

    /// Nobody listens there.
    bool is_refused() const { return refused_; }
    /// False when the other side does not take it: connection gone, or the limit passed.
    bool send(std::string_view bytes);
    /// No more is sent; answers can still come.
    void end_sending();
    void close();
    /// With a RST.
    void reset();
    /// How much the system holds for us before the server has to wait. Before anything is received.
    void set_receive_buffer(int bytes);

    /// The next response; nothing when the connection ends or the limit passes before its end.
    /// 100 Continue is a response of its own. `to_head`: the request was HEAD.
    std::optional<RawResponse> receive(bool to_head = false);
    /// At least so many bytes, as they are; fewer when the connection ends or the limit passes.
    std::string receive_bytes(std::size_t bytes);
    /// Whether the server closes, or resets, the connection with nothing (left) to read.
    bool is_closed();
    /// Whether anything came within so much time. For what must not come.
    bool hears(std::chrono::milliseconds time);

  private:
    bool fill();  ///< reads once more; false at the end
    std::optional<std::string> line();
    bool take(std::size_t bytes, std::string& into);
    bool take_chunks(std::string& into);

    int fd_ = -1;
    bool ended_ = false;
    bool refused_ = false;
    std::chrono::milliseconds limit_;
    std::string buffer_;
};

}  // namespace lab::test
