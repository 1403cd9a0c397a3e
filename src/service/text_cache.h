#pragma once
#include "base/clock.h"
#include "storage/cache/texts.h"

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace lab::service {

/// Texts that are dear to make and do not change, by name: those used last stay, up to a number, a
/// size and an age. Nothing in here says who may see a text: that is asked every time before it is
/// looked up. There may be a second level that processes share. Any thread.
class TextCache {
  public:
    struct Options {
        std::size_t entries_max = 10'000;  ///< 0: keeps nothing
        std::size_t bytes_max = 64U << 20;
        std::size_t text_bytes_max = 8U << 20;  ///< a longer one is not kept
        Duration lifetime = std::chrono::seconds(300);
    };
    struct Stats {
        std::uint64_t hits = 0;
        std::uint64_t misses = 0;
        std::uint64_t evictions = 0;    ///< for want of room; neither aged nor cleared
        std::uint64_t shared_hits = 0;  ///< of the misses, those that the second level had
        std::uint64_t shared_misses = 0;
        std::size_t entries = 0;
        std::size_t bytes = 0;
    };
    TextCache(Options options, const Clock& clock) : options_(options), clock_(clock) {}

    /// Before anybody asks. `texts` outlives the last question.
    void share(storage::Texts& texts) { shared_ = &texts; }
    /// Null when it is not there, or too old. Waits only for the second level.
    std::shared_ptr<const std::string> find(const std::string& name);
    void put(const std::string& name, std::string text);
    /// Both levels. Gives how many there were in the first.
    std::size_t clear();
    /// The first alone: somebody else has cleared the second.
    std::size_t clear_here();
    Stats stats() const;

  private:
    struct Entry {
        std::string name;
        std::shared_ptr<const std::string> text;
        TimePoint made;
    };
    using Entries = std::list<Entry>;
    std::shared_ptr<const std::string> find_here(const std::string& name);
    void put_here(const std::string& name, std::string text);
    void drop(Entries::iterator entry);

    const Options options_;
    const Clock& clock_;
    storage::Texts* shared_ = nullptr;
    mutable std::mutex mutex_;
    Entries entries_;                                                  ///< used last in front
    std::unordered_map<std::string_view, Entries::iterator> by_name_;  ///< views of the entries
    Stats stats_;
};

}  // namespace lab::service
