#pragma once
#include "base/result.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace lab::kubernetes {

/// The texts of a ConfigMap (`data`), by key.
using ConfigMapValues = std::map<std::string, std::string>;

/// A list of the ConfigMaps with one name.
struct ConfigMapState {
    std::string version;     ///< `resourceVersion` of the list: where a watch goes on
    ConfigMapValues values;  ///< nothing when there is no such ConfigMap
};
/// `body`: the answer to a list. Errors: upstream_error, without a word of the body.
Result<ConfigMapState> read_config_map_list(std::string_view body, std::string_view name);

/// A line of a watch.
struct WatchEvent {
    enum class Kind : std::uint8_t {
        changed,   ///< made or changed: `values` count from now on
        deleted,   ///< it is gone
        bookmark,  ///< nothing happened: the watch goes on at `version`
        failed,    ///< the watch is over: `code` says why, 410 when `version` is too old
        other,     ///< about something else, or of a kind that later releases have
    };
    Kind kind = Kind::other;
    std::string version;  ///< not of failed
    ConfigMapValues values;
    int code = 0;
};

/// Takes the stream of a watch apart: one JSON object a line. Give it bytes as they come, take
/// events until there are none.
class WatchReader {
  public:
    /// An object of the API server has about 1.5 MiB at most, and escapes make it longer.
    static constexpr std::size_t kLineBytesMax = 8U << 20;
    /// `name`: of the ConfigMap.
    explicit WatchReader(std::string name, std::size_t line_bytes_max = kLineBytesMax)
        : name_(std::move(name)), line_bytes_max_(line_bytes_max) {}

    void feed(std::string_view bytes);
    /// nullopt: more bytes are needed. Errors: upstream_error; the stream is broken then and stays
    /// so.
    Result<std::optional<WatchEvent>> next();

  private:
    std::string name_;
    std::size_t line_bytes_max_;
    std::string buffer_;
    std::size_t taken_ = 0;    ///< bytes of buffer_ that belong to lines that were returned
    std::size_t scanned_ = 0;  ///< bytes of buffer_ in which there is no further end of a line
    bool broken_ = false;
};

}  // namespace lab::kubernetes
