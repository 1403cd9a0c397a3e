#pragma once
#include "base/executor.h"
#include "platform/http/server.h"
#include "service/scratch.h"

#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace lab::api {

/// A body in a file of its own, which goes when the last who holds it lets go.
class BodyFile {
  public:
    /// Below `folder`. Errors: io.
    static Result<std::shared_ptr<BodyFile>> make(const std::string& folder);
    /// Errors: io.
    Status append(std::string_view bytes);
    /// Nothing comes behind it. Errors: io.
    Status close();
    const std::string& path() const { return path_; }
    std::uint64_t bytes() const { return bytes_; }

  private:
    explicit BodyFile(service::ScratchFolder folder);
    service::ScratchFolder folder_;
    std::string path_;
    std::ofstream file_;
    std::uint64_t bytes_ = 0;
};

/// Takes a body as it comes and has it written by a pool: nothing waits for the disk on an I/O
/// thread, and of each body no more than two pieces are in memory.
class BodyFileSink final : public http::BodySink,
                           public std::enable_shared_from_this<BodyFileSink> {
  public:
    static constexpr std::size_t kPieceBytes = 256U << 10;
    struct Deps {
        std::string folder;
        std::function<bool(Executor::Work&&)> submit;  ///< false: there is too much to do
        std::function<void(std::shared_ptr<http::Exchange>)> begun;
        /// On a pool thread: the whole body, or why it could not be kept.
        std::function<void(std::shared_ptr<http::Exchange>, Result<std::shared_ptr<BodyFile>>)>
            arrived;
        /// Nobody has time for it.
        std::function<void(std::shared_ptr<http::Exchange>)> busy;
    };
    explicit BodyFileSink(Deps deps) : deps_(std::move(deps)) {}

    void on_begin(std::shared_ptr<http::Exchange> exchange) override;
    Flow on_bytes(std::string_view bytes) override;
    void on_complete() override;
    void on_abort() override;

  private:
    /// Holds the lock.
    bool start_writing();
    void write();
    Status write_piece(const std::string& piece);

    Deps deps_;
    std::mutex mutex_;
    std::shared_ptr<http::Exchange> exchange_;
    std::shared_ptr<BodyFile> file_;  ///< of the one who writes
    std::string waiting_;             ///< not written yet
    bool writing_ = false;
    bool paused_ = false;
    bool complete_ = false;
    bool over_ = false;  ///< aborted or answered
};

}  // namespace lab::api
