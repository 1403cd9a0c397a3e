#include "support/backends.h"

#include <cstdlib>

namespace lab::test {
namespace {

std::string value_of(const char* name) {
    const char* const value = std::getenv(name);
    return value != nullptr ? value : "";
}

}  // namespace

const std::string& postgres_url() {
    static const std::string url = value_of("LAB_TEST_POSTGRES_URL");
    return url;
}

const std::string& pgbouncer_url() {
    static const std::string url = value_of("LAB_TEST_PGBOUNCER_URL");
    return url;
}

std::string with_database(std::string url, const std::string& name) {
    const std::string last = "/postgres";
    url.replace(url.rfind(last), last.size(), "/" + name);
    return url;
}

}  // namespace lab::test
