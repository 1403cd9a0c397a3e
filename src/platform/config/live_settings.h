#pragma once
#include "platform/config/server_settings.h"

#include <map>
#include <optional>
#include <string>

namespace lab {

/// The settings that may change while the server runs, as a folder tells them: one file a key,
/// named as it, as Kubernetes mounts a ConfigMap. There the files are links into "..data", which is
/// itself a link that is swapped as a whole: one look sees one state of all keys. One thread.
class LiveSettings {
  public:
    /// `folder`: empty = nothing changes. `started` outlives it.
    LiveSettings(const ServerSettings& started, std::string folder);

    /// What counts from now on; nullopt when the files say what they said at the last look.
    /// A folder that is not there says nothing. Errors: those of with_live_settings, once for each
    /// change; what counted before goes on counting.
    Result<std::optional<ServerSettings>> look();

  private:
    std::map<std::string, std::string> read() const;
    const ServerSettings& started_;
    const std::string folder_;
    std::map<std::string, std::string> seen_;
};

}  // namespace lab
