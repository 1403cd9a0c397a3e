#include "platform/telemetry/log_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>

namespace lab {
namespace {

class Pipe {
  public:
    Pipe() { EXPECT_EQ(pipe(ends_), 0); }
    ~Pipe() {
        close_reader();
        close(ends_[1]);
    }
    int writer() const { return ends_[1]; }
    std::string read_some() const {
        std::string out(1U << 16, '\0');
        const ssize_t n = read(ends_[0], out.data(), out.size());
        out.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
        return out;
    }
    void close_reader() {
        if (ends_[0] >= 0) {
            close(ends_[0]);
            ends_[0] = -1;
        }
    }

  private:
    int ends_[2] = {-1, -1};
};

TEST(FdLogSink, WaitsForASlowReader) {
    const Pipe pipe;
    FdLogSink sink(pipe.writer());
    std::string text;
    for (int i = 0; text.size() < 1U << 20; ++i) {
        text += std::to_string(i) + "\n";
    }
    bool written = false;
    std::string got;
    {
        const std::jthread writer([&] { written = sink.write(text); });
        while (got.size() < text.size()) {
            got += pipe.read_some();
        }
    }
    EXPECT_TRUE(written);
    EXPECT_EQ(got, text);
}

TEST(FdLogSink, GivesUpAReaderThatDoesNotRead) {
    const Pipe pipe;
    FdLogSink sink(pipe.writer());
    const std::string text(1U << 20, 'x');
    bool written = true;
    {
        std::jthread writer([&] { written = sink.write(text); });
        EXPECT_FALSE(pipe.read_some().empty());  // it has begun
        sink.give_up();
    }
    EXPECT_FALSE(written);
    EXPECT_FALSE(sink.write("more\n"));
}

TEST(FdLogSink, AReaderWhoHasGoneIsALoss) {
    Pipe pipe;
    pipe.close_reader();
    FdLogSink sink(pipe.writer());
    // As in the log's thread, which blocks signals.
    sigset_t blocked;
    sigset_t before;
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    EXPECT_FALSE(sink.write("x\n"));
    timespec none{};
    sigtimedwait(&blocked, nullptr, &none);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(FdLogSink, WritesFilesAndNonBlockingDescriptors) {
    std::FILE* file = std::tmpfile();
    ASSERT_NE(file, nullptr);
    {
        FdLogSink sink(fileno(file));
        EXPECT_TRUE(sink.write("a\n"));
        EXPECT_TRUE(sink.write(std::string(100'000, 'b')));
    }
    EXPECT_EQ(lseek(fileno(file), 0, SEEK_CUR), 100'002);
    std::fclose(file);

    const Pipe pipe;
    fcntl(pipe.writer(), F_SETFL, O_NONBLOCK);
    FdLogSink sink(pipe.writer());
    std::string got;
    bool written = false;
    {
        const std::jthread writer([&] { written = sink.write(std::string(200'000, 'c')); });
        while (got.size() < 200'000) {
            got += pipe.read_some();
        }
    }
    EXPECT_TRUE(written);
}

TEST(FdLogSink, ABrokenDescriptorIsALoss) {
    EXPECT_FALSE(FdLogSink(-1).write("x\n"));
    const int closed = dup(STDERR_FILENO);
    close(closed);
    EXPECT_FALSE(FdLogSink(closed).write("x\n"));
}

}  // namespace
}  // namespace lab
