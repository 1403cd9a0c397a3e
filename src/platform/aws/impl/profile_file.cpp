#include "base/text.h"
#include "platform/aws/impl/sources.h"

#include <algorithm>
#include <array>
#include <fstream>

namespace lab::aws {
namespace {

constexpr std::size_t kFileBytesMax = 1U << 20;

/// Ways to credentials that need another program or service.
constexpr std::array<std::string_view, 6> kUnsupported = {
    "credential_process",
    "role_arn",
    "source_profile",
    "sso_account_id",
    "sso_session",
    "web_identity_token_file",
};

}  // namespace

Error no_credentials(std::string words, std::string cause) {
    Error out(Code::unavailable, std::move(words));
    out.cause = std::move(cause);
    return out;
}

Result<std::string> read_small_file(const std::string& path, std::string_view what) {
    std::ifstream file(path, std::ios::binary);
    std::string out(kFileBytesMax + 1, '\0');
    file.read(out.data(), static_cast<std::streamsize>(out.size()));
    out.resize(static_cast<std::size_t>(file.gcount()));
    if (file.bad() || (!file.eof() && file.fail()) || out.size() > kFileBytesMax || out.empty()) {
        return no_credentials(std::string(what) + " names a file that cannot be read");
    }
    return out;
}

Result<std::optional<Credentials>> read_profile(std::string_view text, std::string_view profile) {
    bool inside = false;
    bool found = false;
    bool nested = false;
    Credentials out;
    std::string_view unsupported;
    for (std::string_view line : split(text, '\n')) {
        const bool indented = line.starts_with(' ') || line.starts_with('\t');
        line = trim_ascii(line);
        if (line.empty() || line.starts_with('#') || line.starts_with(';')) {
            continue;
        }
        if (line.starts_with('[')) {
            const std::string_view name = trim_ascii(line.substr(1, line.find(']') - 1));
            inside = name == profile;
            found = found || inside;
            nested = false;
            continue;
        }
        const std::size_t equals = line.find('=');
        if (!inside || equals == std::string_view::npos || (nested && indented)) {
            continue;
        }
        const std::string_view key = trim_ascii(line.substr(0, equals));
        const std::string_view value = trim_ascii(line.substr(equals + 1));
        nested = value.empty();  // "s3 =" and lines that stand further in
        if (key == "aws_access_key_id") {
            out.access_key_id = value;
        } else if (key == "aws_secret_access_key") {
            out.secret_access_key = value;
        } else if (key == "aws_session_token") {
            out.session_token = value;
        } else if (std::ranges::find(kUnsupported, key) != kUnsupported.end()) {
            unsupported = key;
        }
    }
    if (!found) {
        return std::optional<Credentials>();
    }
    if (!out.access_key_id.empty() && !out.secret_access_key.empty()) {
        return std::optional(std::move(out));
    }
    const std::string words = "the profile " + shorten(sanitize_utf8(profile), 100);
    if (!unsupported.empty()) {
        return no_credentials(
            words + " uses " + std::string(unsupported) +
            ", which is not supported: give it aws_access_key_id and aws_secret_access_key"
        );
    }
    return no_credentials(words + " lacks aws_access_key_id or aws_secret_access_key");
}

}  // namespace lab::aws
