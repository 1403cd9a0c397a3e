#include "service/text_cache.h"

namespace lab::service {

std::shared_ptr<const std::string> TextCache::find(const std::string& name) {
    if (auto here = find_here(name)) {
        return here;
    }
    if (shared_ == nullptr || options_.entries_max == 0) {
        return nullptr;
    }
    auto text = shared_->find(name);
    {
        const std::scoped_lock lock(mutex_);
        ++(text ? stats_.shared_hits : stats_.shared_misses);
    }
    if (!text) {
        return nullptr;
    }
    put_here(name, *text);
    return std::make_shared<const std::string>(*std::move(text));
}

std::shared_ptr<const std::string> TextCache::find_here(const std::string& name) {
    const std::scoped_lock lock(mutex_);
    const auto found = by_name_.find(name);
    if (found != by_name_.end() && clock_.now() - found->second->made >= options_.lifetime) {
        drop(found->second);
        ++stats_.misses;
        return nullptr;
    }
    if (found == by_name_.end()) {
        ++stats_.misses;
        return nullptr;
    }
    ++stats_.hits;
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front().text;
}

void TextCache::put(const std::string& name, std::string text) {
    if (shared_ != nullptr && options_.entries_max > 0) {
        shared_->put(name, text);
    }
    put_here(name, std::move(text));
}

void TextCache::put_here(const std::string& name, std::string text) {
    if (options_.entries_max == 0 || text.size() > options_.text_bytes_max) {
        return;
    }
    const std::scoped_lock lock(mutex_);
    if (const auto found = by_name_.find(name); found != by_name_.end()) {
        drop(found->second);
    }
    entries_.push_front(
        {.name = name,
         .text = std::make_shared<const std::string>(std::move(text)),
         .made = clock_.now()}
    );
    by_name_.emplace(entries_.front().name, entries_.begin());
    stats_.bytes += name.size() + entries_.front().text->size();
    while (entries_.size() > options_.entries_max || stats_.bytes > options_.bytes_max) {
        drop(std::prev(entries_.end()));
        ++stats_.evictions;
    }
}

std::size_t TextCache::clear() {
    if (shared_ != nullptr) {
        shared_->clear();
    }
    return clear_here();
}

std::size_t TextCache::clear_here() {
    const std::scoped_lock lock(mutex_);
    const std::size_t count = entries_.size();
    by_name_.clear();
    entries_.clear();
    stats_.bytes = 0;
    return count;
}

TextCache::Stats TextCache::stats() const {
    const std::scoped_lock lock(mutex_);
    Stats out = stats_;
    out.entries = entries_.size();
    return out;
}

void TextCache::drop(Entries::iterator entry) {
    stats_.bytes -= entry->name.size() + entry->text->size();
    by_name_.erase(entry->name);
    entries_.erase(entry);
}

}  // namespace lab::service
