#include "storage/objects/s3_address.h"

#include "base/percent.h"
#include "base/text.h"

#include <algorithm>

namespace lab::storage {
namespace {

constexpr std::size_t kKeyBytesMax = 1024;

std::string amazon_host(std::string_view region) {
    return "s3." + std::string(region) +
           (region.starts_with("cn-") ? ".amazonaws.com.cn" : ".amazonaws.com");
}

}  // namespace

Status check_s3_key(std::string_view key) {
    const bool plain = std::ranges::none_of(key, [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
    bool segments = true;
    for (const std::string_view segment : split(key, '/')) {
        segments = segments && !segment.empty() && segment != "." && segment != "..";
    }
    if (!key.empty() && key.size() <= kKeyBytesMax && plain && segments && is_utf8(key)) {
        return ok();
    }
    return Error(
        Code::validation,
        "the key of an object must have 1 to 1,024 bytes of plain text, and no part between its "
        "slashes that is empty or only dots"
    );
}

std::string s3_url(const S3Place& place, std::string_view key, const S3Query& query) {
    std::string scheme = "https://";
    std::string host = amazon_host(place.region);
    std::string before;  // a path that the endpoint itself has
    if (!place.endpoint.empty()) {
        const std::size_t start = place.endpoint.find("://") + 3;
        const std::size_t slash = std::min(place.endpoint.find('/', start), place.endpoint.size());
        scheme = place.endpoint.substr(0, start);
        host = place.endpoint.substr(start, slash - start);
        before = place.endpoint.substr(slash);
        while (before.ends_with('/')) {
            before.pop_back();
        }
    }
    const bool in_host = place.style == S3Place::Style::host ||
                         (place.style == S3Place::Style::automatic && place.endpoint.empty() &&
                          !place.bucket.contains('.'));
    std::string out = scheme;
    out += in_host ? place.bucket + "." + host + before : host + before + "/" + place.bucket;
    out += in_host || !key.empty() ? "/" : "";
    bool first = true;
    if (!key.empty()) {
        for (const std::string_view segment : split(key, '/')) {
            out += first ? "" : "/";
            out += percent_encode(segment);
            first = false;
        }
    }
    S3Query sorted = query;
    std::ranges::sort(sorted);
    char mark = '?';
    for (const auto& [name, value] : sorted) {
        out += std::exchange(mark, '&');
        out += percent_encode(name) + "=" + percent_encode(value);
    }
    return out;
}

}  // namespace lab::storage
