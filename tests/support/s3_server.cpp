#include "support/s3_server.h"

#include <cstdlib>

namespace lab::test {
namespace {

/// http://KEY:SECRET@HOST/BUCKET
std::optional<S3Server> read_url(const std::string& url) {
    const std::size_t scheme = url.find("://");
    const std::size_t at = url.find('@');
    if (scheme == std::string::npos || at == std::string::npos) {
        return std::nullopt;
    }
    const std::size_t colon = url.find(':', scheme + 3);
    const std::size_t slash = url.find('/', at);
    return S3Server{
        .endpoint = url.substr(0, scheme + 3) + url.substr(at + 1, slash - at - 1),
        .access_key_id = url.substr(scheme + 3, colon - scheme - 3),
        .secret_access_key = url.substr(colon + 1, at - colon - 1),
        .bucket = url.substr(slash + 1),
    };
}

}  // namespace

const std::optional<S3Server>& s3_server() {
    static const std::optional<S3Server> kServer = [] {
        const char* const url = std::getenv("LAB_TEST_S3_URL");
        return read_url(url != nullptr ? url : "");
    }();
    return kServer;
}

}  // namespace lab::test
