#include "service/run_events.h"

#include <algorithm>
#include <iterator>

namespace lab::service {

void RunEvents::publish(const std::string& run, std::string type, std::string data) {
    const std::lock_guard lock(mutex_);
    Channel& channel = channels_[run];
    tell(channel, {.number = channel.last + 1, .type = std::move(type), .data = std::move(data)});
}

void RunEvents::tell(Channel& channel, RunEvent event) {
    channel.last = event.number;
    channel.kept.push_back(std::move(event));
    if (channel.kept.size() > kKeptMax) {
        channel.kept.erase(channel.kept.begin());
    }
    for (const auto& [id, listener] : channel.listeners) {
        listener(channel.kept.back());
    }
}

void RunEvents::go_on_behind(const std::string& run, std::int64_t number) {
    const std::lock_guard lock(mutex_);
    Channel& channel = channels_[run];
    channel.last = std::max(channel.last, number);
}

void RunEvents::relay(const std::string& run, RunEvent event) {
    const std::lock_guard lock(mutex_);
    const auto found = channels_.find(run);
    // Nobody who came for it is left, or it is known.
    if (found != channels_.end() && event.number > found->second.last) {
        tell(found->second, std::move(event));
    }
}

std::vector<RunEvent> RunEvents::since(const std::string& run, std::int64_t after) const {
    const std::lock_guard lock(mutex_);
    std::vector<RunEvent> out;
    if (const auto found = channels_.find(run); found != channels_.end()) {
        std::ranges::copy_if(
            found->second.kept,
            std::back_inserter(out),
            [&](const RunEvent& event) { return event.number > after; }
        );
    }
    return out;
}

std::vector<std::pair<std::string, std::int64_t>> RunEvents::listened(std::size_t count_max) const {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, std::int64_t>> out;
    for (const auto& [run, channel] : channels_) {
        if (!channel.listeners.empty() && out.size() < count_max) {
            out.emplace_back(run, channel.last);
        }
    }
    return out;
}

std::uint64_t RunEvents::subscribe(const std::string& run, std::int64_t after, Listener listener) {
    const std::lock_guard lock(mutex_);
    Channel& channel = channels_[run];
    for (const RunEvent& event : channel.kept) {
        if (event.number > after) {
            listener(event);
        }
    }
    if (ended_) {
        listener({.number = channel.last, .type = std::string(kGoing)});
    }
    channel.listeners.emplace(++last_id_, std::move(listener));
    return last_id_;
}

void RunEvents::unsubscribe(const std::string& run, std::uint64_t id) {
    const std::lock_guard lock(mutex_);
    const auto found = channels_.find(run);
    if (found != channels_.end()) {
        found->second.listeners.erase(id);
        if (found->second.listeners.empty() && found->second.kept.empty()) {
            channels_.erase(found);
        }
    }
}

void RunEvents::close(const std::string& run) {
    const std::lock_guard lock(mutex_);
    closed_.push_back(run);
    if (closed_.size() > kClosedMax) {
        channels_.erase(closed_.front());
        closed_.pop_front();
    }
}

void RunEvents::end() {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    for (const auto& [run, channel] : channels_) {
        const RunEvent going{.number = channel.last, .type = std::string(kGoing)};
        for (const auto& [id, listener] : channel.listeners) {
            listener(going);
        }
    }
}

}  // namespace lab::service
