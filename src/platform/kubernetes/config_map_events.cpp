#include "platform/kubernetes/config_map_events.h"

#include "base/text.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::kubernetes {
namespace {

constexpr std::size_t kVersionMax = 64;
constexpr int kStatusMin = 100;
constexpr int kStatusMax = 599;

const Json* member(const Json& object, const char* name) {
    if (!object.is_object()) {
        return nullptr;
    }
    const auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
}

const std::string* text_member(const Json& object, const char* name) {
    const Json* const found = member(object, name);
    return found != nullptr && found->is_string() ? &found->get_ref<const std::string&>() : nullptr;
}

/// Opaque, but it is a number everywhere, and goes into a URL.
std::optional<std::string> version_of(const Json& object) {
    const Json* const metadata = member(object, "metadata");
    const std::string* const text =
        metadata == nullptr ? nullptr : text_member(*metadata, "resourceVersion");
    const bool is_plain = text != nullptr && !text->empty() && text->size() <= kVersionMax &&
                          std::ranges::all_of(*text, [](char c) {
                              return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                                     (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_';
                          });
    return is_plain ? std::optional(*text) : std::nullopt;
}

bool is_named(const Json& object, std::string_view name) {
    const Json* const metadata = member(object, "metadata");
    const std::string* const text = metadata == nullptr ? nullptr : text_member(*metadata, "name");
    return text != nullptr && *text == name;
}

/// nullopt: `data` is there and is something else. binaryData is none of our settings.
std::optional<ConfigMapValues> values_of(const Json& object) {
    ConfigMapValues out;
    const Json* const data = member(object, "data");
    if (data == nullptr || data->is_null()) {
        return out;
    }
    if (!data->is_object()) {
        return std::nullopt;
    }
    for (const auto& [key, value] : data->items()) {
        if (!value.is_string()) {
            return std::nullopt;
        }
        out.emplace(key, value.get_ref<const std::string&>());
    }
    return out;
}

/// Of the Status that an event of type ERROR has.
int code_of(const Json& object) {
    const Json* const code = member(object, "code");
    if (code == nullptr || !code->is_number_integer()) {
        return 0;
    }
    const auto number = code->get<std::int64_t>();
    return number < kStatusMin || number > kStatusMax ? 0 : static_cast<int>(number);
}

Error odd(const char* words) { return {Code::upstream_error, words}; }

Result<WatchEvent> read_event(std::string_view line, std::string_view name, std::size_t bytes_max) {
    constexpr const char* kNoEvent = "the API server sends what is no event of a watch";
    const auto json = parse_json(line, {.bytes_max = bytes_max});
    if (!json) {
        return odd(kNoEvent);
    }
    const std::string* const type = text_member(*json, "type");
    const Json* const object = member(*json, "object");
    if (type == nullptr || object == nullptr || !object->is_object()) {
        return odd(kNoEvent);
    }
    WatchEvent event;
    if (*type == "ERROR") {
        event.kind = WatchEvent::Kind::failed;
        event.code = code_of(*object);
        return event;
    }
    auto version = version_of(*object);
    if (!version) {
        return odd(kNoEvent);
    }
    event.version = *std::move(version);
    if (*type == "BOOKMARK") {
        event.kind = WatchEvent::Kind::bookmark;
    } else if (!is_named(*object, name)) {
        event.kind = WatchEvent::Kind::other;
    } else if (*type == "DELETED") {
        event.kind = WatchEvent::Kind::deleted;
    } else if (*type == "ADDED" || *type == "MODIFIED") {
        event.kind = WatchEvent::Kind::changed;
        auto values = values_of(*object);
        if (!values) {
            return odd(kNoEvent);
        }
        event.values = *std::move(values);
    }
    return event;
}

}  // namespace

Result<ConfigMapState> read_config_map_list(std::string_view body, std::string_view name) {
    constexpr const char* kNoList = "the API server answers with what is no list of ConfigMaps";
    const auto json = parse_json(body, {.bytes_max = WatchReader::kLineBytesMax});
    if (!json) {
        return odd(kNoList);
    }
    auto version = version_of(*json);
    const Json* const items = member(*json, "items");
    // Go writes an empty list as null.
    if (!version || items == nullptr || !(items->is_array() || items->is_null())) {
        return odd(kNoList);
    }
    ConfigMapState out;
    out.version = *std::move(version);
    for (const Json& item : *items) {
        if (!is_named(item, name)) {
            continue;
        }
        auto values = values_of(item);
        if (!values) {
            return odd(kNoList);
        }
        out.values = *std::move(values);
    }
    return out;
}

void WatchReader::feed(std::string_view bytes) {
    if (broken_) {
        return;
    }
    buffer_.erase(0, taken_);
    scanned_ -= taken_;
    taken_ = 0;
    buffer_ += bytes;
}

Result<std::optional<WatchEvent>> WatchReader::next() {
    const auto give_up = [this](const char* words) {
        broken_ = true;
        buffer_ = {};
        taken_ = scanned_ = 0;
        return odd(words);
    };
    while (!broken_) {
        const std::size_t end = buffer_.find('\n', scanned_);
        const std::size_t line_end = std::min(end, buffer_.size());
        if (line_end - taken_ > line_bytes_max_) {
            return give_up("the API server sends a line that is too long");
        }
        if (end == std::string::npos) {
            scanned_ = buffer_.size();
            return std::nullopt;
        }
        const std::string_view line(buffer_.data() + taken_, end - taken_);
        taken_ = scanned_ = end + 1;
        if (trim_ascii(line).empty()) {
            continue;
        }
        auto event = read_event(line, name_, line_bytes_max_);
        if (!event) {
            return give_up("the API server sends what is no event of a watch");
        }
        return std::optional(*std::move(event));
    }
    return odd("the stream of the API server is broken");
}

}  // namespace lab::kubernetes
