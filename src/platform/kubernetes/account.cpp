#include "platform/kubernetes/account.h"

#include "base/text.h"

#include <algorithm>
#include <fstream>

namespace lab::kubernetes {
namespace {

constexpr std::size_t kFileBytesMax = 64U << 10;
constexpr std::size_t kNamespaceMax = 63;

Result<std::string> read_small(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text(kFileBytesMax + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.empty()) {
        return Error(
            Code::not_found, "there is no service account: " + path + " cannot be read or is empty"
        );
    }
    return text;
}

/// What a header can carry.
bool is_token(std::string_view text) {
    return !text.empty() && text.size() <= kFileBytesMax &&
           std::ranges::all_of(text, [](char c) { return c > 0x20 && c < 0x7f; });
}

/// RFC 1123, a label.
bool is_label(std::string_view text) {
    return !text.empty() && text.size() <= kNamespaceMax && std::ranges::all_of(text, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
    });
}

}  // namespace

Result<std::string> Account::token() const {
    const std::string path = folder_ + "/token";
    LAB_TRY(const std::string text, read_small(path));
    std::string token(trim_ascii(text));
    if (!is_token(token)) {
        return Error(Code::not_found, "there is no service account: " + path + " is no token");
    }
    return token;
}

Result<std::string> Account::pod_namespace() const {
    const std::string path = folder_ + "/namespace";
    LAB_TRY(const std::string text, read_small(path));
    std::string name(trim_ascii(text));
    if (!is_label(name)) {
        return Error(
            Code::not_found, "there is no service account: " + path + " names no namespace"
        );
    }
    return name;
}

Result<std::string> Account::authority_file() const {
    std::string path = folder_ + "/ca.crt";
    LAB_CHECK(read_small(path));
    return path;
}

std::string api_server_url(const std::string& host, std::int64_t port) {
    const bool is_v6 = host.find(':') != std::string::npos && !host.starts_with('[');
    return "https://" + (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace lab::kubernetes
