#pragma once
#include "platform/crypto/sha256.h"
#include "storage/objects/impl/test_folder.h"
#include "storage/objects/s3_client.h"
#include "support/s3_server.h"

namespace lab::storage::test {

using lab::test::kNoS3Server;
using lab::test::s3_server;
using lab::test::S3Server;

/// A client with all that it stands on.
struct S3Kit {
    S3Kit(S3Options options, aws::Credentials given, http::ClientOptions http_options = {})
        : http(clock, std::move(http_options)),
          credentials(clock, http, {.given = std::move(given)}),
          client(std::move(options), clock, http, credentials, 7) {}

    SystemClock clock;
    http::BlockingClient http;
    aws::CredentialChain credentials;
    S3Client client;
};

/// Waits for no server longer than a test may.
inline S3Options quick(S3Place place) {
    S3Options out{.place = std::move(place)};
    out.backoff_first = std::chrono::milliseconds(1);
    out.backoff_max = std::chrono::milliseconds(10);
    out.away_pause = std::chrono::milliseconds(300);
    return out;
}

/// Bytes that no compression and no repetition hides mistakes in.
inline std::string noise(std::size_t bytes, std::uint64_t seed = 1) {
    Rng rng(seed);
    std::string out;
    while (out.size() < bytes) {
        const std::uint64_t word = rng.next();
        out.append(reinterpret_cast<const char*>(&word), sizeof word);
    }
    out.resize(bytes);
    return out;
}

}  // namespace lab::storage::test
