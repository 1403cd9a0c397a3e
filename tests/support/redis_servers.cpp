#include "support/redis_servers.h"

#include <cstdlib>

namespace lab::test {
namespace {

std::string variable(const char* name) {
    const char* const value = std::getenv(name);
    return value == nullptr ? "" : value;
}

}  // namespace

const std::string& redis_url() {
    static const std::string kUrl = variable("LAB_TEST_REDIS_URL");
    return kUrl;
}

const std::string& redis_tls_url() {
    static const std::string kUrl = variable("LAB_TEST_REDIS_TLS_URL");
    return kUrl;
}

const std::string& redis_ca() {
    static const std::string kFile = variable("LAB_TEST_REDIS_CA");
    return kFile;
}

const std::string& redis_cluster_url() {
    static const std::string kUrl = variable("LAB_TEST_REDIS_CLUSTER_URL");
    return kUrl;
}

}  // namespace lab::test
