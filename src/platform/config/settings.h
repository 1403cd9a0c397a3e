#pragma once
#include "base/result.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lab {

using EnvLookup = std::function<std::optional<std::string>(const std::string& name)>;
/// The process's environment; the only place that reads it.
EnvLookup process_environment();

/// One setting: where it may come from and what it means. From this table come parsing, messages,
/// `config check` and docs/config.md.
struct SettingInfo {
    std::string_view key;          ///< in the configuration file
    std::string_view environment;  ///< empty = not from the environment
    std::string_view default_text;
    std::string_view help;
};
const std::vector<SettingInfo>& setting_table();
/// Whether this could be the value of the setting. Errors: validation.
Status check_setting(const std::string& key, const std::string& value);

/// The settings of the command line. Order of precedence: option, environment, profile of the
/// configuration file, default.
struct Settings {
    std::string home;  ///< store, objects, locks
    std::string output = "table";
    bool color = true;               ///< before looking whether the output is a terminal
    std::string api_url;             ///< of the server; empty = the store of this home
    std::int64_t timeout_secs = 30;  ///< for one answer of the server
    std::int64_t max_retries = 3;    ///< beyond the first try
    std::string profile;             ///< empty = none
    std::string config_file;         ///< path, whether it exists or not
    bool config_file_found = false;
    /// key, value, where it came from: "default", "environment LLM_RESEARCH_HOME", "profile ci".
    struct Origin {
        std::string key;
        std::string value;
        std::string from;
    };
    std::vector<Origin> origins;
};

struct SettingOverrides {
    std::optional<std::string> home;
    std::optional<std::string> output;
    std::optional<std::string> profile;
    std::optional<std::string> api_url;
    bool no_color = false;
    /// Of the configuration file only its place counts: for what helps when it is broken.
    bool without_file = false;
};

/// Errors: validation; each detail names the variable or file:line:column, and never a value of
/// another variable.
Result<Settings> load_settings(const EnvLookup& env, const SettingOverrides& overrides);

}  // namespace lab
