#pragma once
#include <string>

/// The servers that tools/redis.py started for this run of the tests; empty without them.
namespace lab::test {

/// A user's, who may touch keys and channels that begin with "test:" or "llm-research:".
const std::string& redis_url();
/// Over TLS, by a certificate that only redis_ca() vouches for, for "localhost".
const std::string& redis_tls_url();
const std::string& redis_ca();
/// Two of the six nodes of a cluster.
const std::string& redis_cluster_url();

/// Why a test is skipped that needs them.
inline constexpr const char* kNoRedis = "no Redis: run under tools/redis.py";

}  // namespace lab::test
