#include "platform/config/live_settings.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

namespace lab {
namespace {

constexpr std::size_t kValueBytesMax = 4096;

class Descriptor {
  public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (fd_ >= 0) {
            ::close(fd_);
        }
    }
    int get() const { return fd_; }

  private:
    int fd_;
};

/// nullopt: no such file, or one that cannot be read. Longer ones are cut, and no value then.
std::optional<std::string> read_file(int folder, const char* name) {
    const Descriptor file(::openat(folder, name, O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (file.get() < 0) {
        return std::nullopt;
    }
    std::array<char, kValueBytesMax> bytes{};
    std::size_t size = 0;
    while (size < bytes.size()) {
        const ssize_t got = ::read(file.get(), bytes.data() + size, bytes.size() - size);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got < 0) {
            return std::nullopt;
        }
        if (got == 0) {
            break;
        }
        size += static_cast<std::size_t>(got);
    }
    return std::string(bytes.data(), size);
}

}  // namespace

LiveSettings::LiveSettings(const ServerSettings& started, std::string folder)
    : started_(started), folder_(std::move(folder)) {}

void LiveSettings::publish(const std::map<std::string, std::string>& values) {
    std::map<std::string, std::string> live;
    for (const ServerSettingInfo& info : server_setting_table()) {
        const std::string name(info.key);
        if (const auto found = values.find(name); info.live && found != values.end()) {
            live[name] = found->second.substr(0, kValueBytesMax);
        }
    }
    const std::scoped_lock lock(mutex_);
    published_ = std::move(live);
}

std::map<std::string, std::string> LiveSettings::read_folder() const {
    if (folder_.empty()) {
        return {};
    }
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    // The folder behind the link is held open: a swap meanwhile does not mix two states.
    const Descriptor linked(::open((folder_ + "/..data").c_str(), kFlags));
    const Descriptor plain(linked.get() < 0 ? ::open(folder_.c_str(), kFlags) : -1);
    const int folder = linked.get() < 0 ? plain.get() : linked.get();
    std::map<std::string, std::string> out;
    if (folder < 0) {
        return out;
    }
    for (const ServerSettingInfo& info : server_setting_table()) {
        if (!info.live) {
            continue;
        }
        const std::string name(info.key);
        if (auto value = read_file(folder, name.c_str())) {
            out[name] = *std::move(value);
        }
    }
    return out;
}

Result<std::optional<ServerSettings>> LiveSettings::look() {
    std::map<std::string, std::string> now;
    {
        const std::scoped_lock lock(mutex_);
        now = published_;
    }
    now.merge(read_folder());  // keeps what is there
    if (now == seen_) {
        return std::nullopt;
    }
    seen_ = std::move(now);
    const EnvLookup live = [this](const std::string& name) -> std::optional<std::string> {
        const auto found = seen_.find(name);
        return found == seen_.end() ? std::nullopt : std::optional(found->second);
    };
    LAB_TRY(ServerSettings settings, with_live_settings(started_, live));
    return settings;
}

}  // namespace lab
