#pragma once
#include "platform/config/server_settings.h"

#include <map>
#include <mutex>
#include <optional>
#include <string>

namespace lab {

/// The settings that may change while the server runs. Two may say so: somebody who is told of
/// changes and publishes them, as the watch of a ConfigMap, and a folder: one file a key, named as
/// it, as Kubernetes mounts a ConfigMap. There the files are links into "..data", which is itself a
/// link that is swapped as a whole: one look sees one state of all keys. Where both have a key,
/// what was published counts, since it is there sooner. One thread, but for publish().
class LiveSettings {
  public:
    /// `folder`: empty = none. `started` outlives it.
    LiveSettings(const ServerSettings& started, std::string folder);

    /// All that is published from now on. Keys that may not change do not count. Any thread.
    void publish(const std::map<std::string, std::string>& values);

    /// What counts from now on; nullopt when both say what they said at the last look. A folder
    /// that is not there says nothing. Errors: those of with_live_settings, once for each change;
    /// what counted before goes on counting.
    Result<std::optional<ServerSettings>> look();

  private:
    std::map<std::string, std::string> read_folder() const;
    const ServerSettings& started_;
    const std::string folder_;
    std::map<std::string, std::string> seen_;
    std::mutex mutex_;
    std::map<std::string, std::string> published_;  ///< guarded by mutex_
};

}  // namespace lab
