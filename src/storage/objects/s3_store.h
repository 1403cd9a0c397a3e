#pragma once
#include "platform/aws/credential_chain.h"
#include "storage/objects/object_store.h"
#include "storage/objects/s3_client.h"

#include <memory>

namespace lab::storage {

/// A bucket as an ObjectStore. `clock` outlives it. Nothing is called before the first use.
std::unique_ptr<ObjectStore> make_s3_store(
    const Clock& clock, S3Options options, aws::ChainOptions credentials, http::ClientOptions http
);

}  // namespace lab::storage
