#pragma once
#include <optional>
#include <string>

namespace lab::test {

/// The server that tools/s3.py started for this run of the tests.
struct S3Server {
    std::string endpoint;  ///< http://127.0.0.1:PORT
    std::string access_key_id;
    std::string secret_access_key;
    std::string bucket;
};
/// nullopt without one; a test that needs it is skipped then, in words.
const std::optional<S3Server>& s3_server();
inline constexpr const char* kNoS3Server =
    "no S3 server: tools/s3.py --build makes one, tools/s3.py COMMAND runs a command beside it";

}  // namespace lab::test
