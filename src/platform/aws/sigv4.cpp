#include "platform/aws/sigv4.h"

#include "base/percent.h"
#include "base/text.h"
#include "platform/crypto/mac.h"
#include "platform/crypto/sha256.h"

#include <algorithm>
#include <array>
#include <map>

namespace lab::aws {
namespace {

constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
constexpr std::string_view kEnd = "aws4_request";

/// Those that proxies may change, and the one that is made here.
constexpr std::array<std::string_view, 12> kUnsigned = {
    "authorization",
    "connection",
    "expect",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "x-amzn-trace-id",
};

std::string lower(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return out;
}

struct UrlParts {
    std::string host;  ///< as the Host header has it
    std::string_view before_query;
    std::string_view path;
    std::string_view query;
};

UrlParts take_apart(std::string_view url) {
    UrlParts out;
    url = url.substr(0, url.find('#'));
    const std::size_t mark = url.find('?');
    out.before_query = url.substr(0, mark);
    out.query = mark == std::string_view::npos ? "" : url.substr(mark + 1);
    const std::size_t scheme = url.find("://");
    LAB_ASSERT(scheme != std::string_view::npos, "a URL that is signed is absolute");
    std::string_view rest = out.before_query.substr(scheme + 3);
    const std::size_t slash = rest.find('/');
    out.path = slash == std::string_view::npos ? "/" : rest.substr(slash);
    out.host = lower(rest.substr(0, slash));
    const std::string_view usual = url.starts_with("https:") ? ":443" : ":80";
    if (out.host.ends_with(usual)) {
        out.host.resize(out.host.size() - usual.size());
    }
    return out;
}

/// Without "." and ".." (RFC 3986, section 5.2.4) and empty segments, and encoded once more.
std::string normal_path(std::string_view path) {
    std::vector<std::string_view> kept;
    for (const std::string_view segment : split(path, '/')) {
        if (segment == ".." && !kept.empty()) {
            kept.pop_back();
        } else if (!segment.empty() && segment != "." && segment != "..") {
            kept.push_back(segment);
        }
    }
    std::string out;
    for (const std::string_view segment : kept) {
        out += "/";
        out += percent_encode(segment);
    }
    return out.empty() || path.ends_with('/') ? out + "/" : out;
}

std::string canonical_query(std::string_view query) {
    std::vector<std::pair<std::string_view, std::string_view>> pairs;
    if (!query.empty()) {
        for (const std::string_view pair : split(query, '&')) {
            const std::size_t equals = pair.find('=');
            pairs.emplace_back(
                pair.substr(0, equals),
                equals == std::string_view::npos ? "" : pair.substr(equals + 1)
            );
        }
    }
    std::ranges::sort(pairs);
    std::string out;
    for (const auto& [name, value] : pairs) {
        out += out.empty() ? "" : "&";
        out += name;
        out += "=";
        out += value;
    }
    return out;
}

/// Runs of white space are one space, none stands at the ends.
std::string trim_all(std::string_view value) {
    std::string out;
    bool gap = false;
    for (const char c : value) {
        if (std::string_view(" \t\n\v\f\r").contains(c)) {
            gap = !out.empty();
            continue;
        }
        out += gap ? " " : "";
        out += c;
        gap = false;
    }
    return out;
}

/// By name in lower case; several of one name are joined in their order.
using SignedHeaders = std::map<std::string, std::string>;

SignedHeaders headers_to_sign(const http::Headers& headers, const std::string& host) {
    SignedHeaders out;
    for (const auto& [name, value] : headers) {
        std::string key = lower(name);
        if (std::ranges::find(kUnsigned, key) != kUnsigned.end()) {
            continue;
        }
        const auto [place, is_new] = out.try_emplace(std::move(key));
        place->second += is_new ? "" : ",";
        place->second += trim_all(value);
    }
    out.try_emplace("host", host);
    return out;
}

std::string names_of(const SignedHeaders& headers) {
    std::string out;
    for (const auto& [name, value] : headers) {
        out += out.empty() ? "" : ";";
        out += name;
    }
    return out;
}

/// 20260131T235959Z
std::string timestamp(WallTime time) {
    std::string out;
    for (const char c : format_rfc3339(time).substr(0, 19)) {
        if (c != '-' && c != ':') {
            out += c;
        }
    }
    return out + "Z";
}

std::string scope_text(const SigningScope& scope, const std::string& stamp) {
    return stamp.substr(0, 8) + "/" + scope.region + "/" + scope.service + "/" + std::string(kEnd);
}

struct Canonical {
    std::string_view method;
    std::string_view path;
    std::string_view query;
    std::string_view payload_hash;
};

std::string signature(
    const Canonical& canonical,
    const SignedHeaders& headers,
    const SigningScope& scope,
    const Credentials& credentials,
    const std::string& stamp
) {
    std::string text(canonical.method);
    text += "\n";
    text += scope.service == "s3" ? std::string(canonical.path) : normal_path(canonical.path);
    text += "\n" + canonical_query(canonical.query) + "\n";
    for (const auto& [name, value] : headers) {
        text += name;
        text += ":";
        text += value;
        text += "\n";
    }
    text += "\n" + names_of(headers) + "\n";
    text += canonical.payload_hash;
    const std::string to_sign = std::string(kAlgorithm) + "\n" + stamp + "\n" +
                                scope_text(scope, stamp) + "\n" + sha256_hex(text);
    std::string key = "AWS4" + credentials.secret_access_key;
    for (const std::string_view part :
         {std::string_view(stamp).substr(0, 8),
          std::string_view(scope.region),
          std::string_view(scope.service),
          kEnd}) {
        key = hmac_sha256(key, part);
    }
    return to_hex(hmac_sha256(key, to_sign));
}

void set_header(http::Headers& headers, std::string_view name, std::string value) {
    std::erase_if(headers, [wanted = lower(name)](const auto& header) {
        return lower(header.first) == wanted;
    });
    headers.emplace_back(name, std::move(value));
}

}  // namespace

void sign(
    http::Request& request,
    const SigningScope& scope,
    const Credentials& credentials,
    WallTime now,
    std::string_view payload_hash
) {
    const std::string stamp = timestamp(now);
    set_header(request.headers, "X-Amz-Date", stamp);
    if (!credentials.session_token.empty()) {
        set_header(request.headers, "X-Amz-Security-Token", credentials.session_token);
    }
    if (scope.service == "s3") {
        set_header(request.headers, "X-Amz-Content-Sha256", std::string(payload_hash));
    }
    const UrlParts url = take_apart(request.url);
    const SignedHeaders headers = headers_to_sign(request.headers, url.host);
    const Canonical canonical{request.method, url.path, url.query, payload_hash};
    set_header(
        request.headers,
        "Authorization",
        std::string(kAlgorithm) + " Credential=" + credentials.access_key_id + "/" +
            scope_text(scope, stamp) + ", SignedHeaders=" + names_of(headers) +
            ", Signature=" + signature(canonical, headers, scope, credentials, stamp)
    );
}

std::string presign(
    const Presigned& wanted, const SigningScope& scope, const Credentials& credentials, WallTime now
) {
    const std::string stamp = timestamp(now);
    const UrlParts url = take_apart(wanted.url);
    const SignedHeaders headers = headers_to_sign(wanted.headers, url.host);
    std::string query(url.query);
    const auto add = [&](std::string_view name, std::string_view value) {
        query += query.empty() ? "" : "&";
        query += name;
        query += "=" + percent_encode(value);
    };
    add("X-Amz-Algorithm", kAlgorithm);
    add("X-Amz-Credential", credentials.access_key_id + "/" + scope_text(scope, stamp));
    add("X-Amz-Date", stamp);
    add("X-Amz-Expires", std::to_string(wanted.life.count()));
    add("X-Amz-SignedHeaders", names_of(headers));
    if (!credentials.session_token.empty()) {
        add("X-Amz-Security-Token", credentials.session_token);
    }
    const Canonical canonical{wanted.method, url.path, query, wanted.payload_hash};
    const std::string signed_query =
        query + "&X-Amz-Signature=" + signature(canonical, headers, scope, credentials, stamp);
    return std::string(url.before_query) + "?" + signed_query;
}

}  // namespace lab::aws
