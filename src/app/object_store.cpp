#include "app/object_store.h"

#include "app/wire.h"
#include "storage/objects/s3_store.h"
#include "storage/objects/traced_store.h"

namespace lab::app {

std::shared_ptr<storage::ObjectStore> make_object_store(
    const ServerSettings& settings, const EnvLookup& environment, const Clock& clock
) {
    const ObjectSettings& from = settings.objects;
    if (from.bucket.empty()) {
        return nullptr;
    }
    storage::S3Options options{
        .place = {.bucket = from.bucket, .region = from.region, .endpoint = from.endpoint}
    };
    aws::ChainOptions credentials{
        .given = {from.access_key_id, from.secret_access_key, from.session_token},
        .region = from.region,
        .environment = environment,
        .home_folder = environment("HOME").value_or(""),
    };
    // Proxies are those of the environment, as Amazon's clients have it.
    return storage::trace_object_store(storage::make_s3_store(
        clock,
        std::move(options),
        std::move(credentials),
        {.user_agent = "llm-research/" + std::string(version())}
    ));
}

}  // namespace lab::app
