#pragma once
#include "platform/config/server_settings.h"
#include "storage/objects/object_store.h"

#include <memory>

namespace lab::app {

/// The bucket of the settings (S3_BUCKET); nullptr when there is none. `environment`: of the
/// process, for credentials that the settings do not have. `clock` outlives it.
std::shared_ptr<storage::ObjectStore> make_object_store(
    const ServerSettings& settings, const EnvLookup& environment, const Clock& clock
);

/// Of what is in the bucket, how much may lie in the folder of this machine too.
inline constexpr std::int64_t kObjectCacheBytes = std::int64_t{8} << 30;

}  // namespace lab::app
