#pragma once
#include "base/result.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lab::storage {

/// Where a bucket is.
struct S3Place {
    /// How the bucket stands in an address: before the host's name, or before the key.
    /// `automatic`: as Amazon wants it at Amazon's, in the path at other servers, and for names
    /// with dots, which certificates do not cover.
    enum class Style : std::uint8_t { automatic, path, host };

    std::string bucket;
    std::string region = "us-east-1";
    std::string endpoint = {};  ///< "https://host:port"; empty = Amazon's for the region
    Style style = Style::automatic;
};

/// Name and value, neither of them encoded.
using S3Query = std::vector<std::pair<std::string, std::string>>;

/// A key that this program uses: 1 to 1,024 bytes of UTF-8 without control characters, no slash at
/// its front, and no segment that is empty, "." or ".." (servers and proxies on the way differ in
/// what they make of those). Errors: validation.
Status check_s3_key(std::string_view key);

/// The address of an object, or with an empty key of the bucket. The query is encoded and in order.
std::string s3_url(const S3Place& place, std::string_view key, const S3Query& query = {});

}  // namespace lab::storage
