#include "platform/config/settings.h"

#include "base/text.h"
#include "platform/config/toml.h"
#include "platform/json/document.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lab {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kFileBytesMax = 1U << 20;

std::string value_or(const EnvLookup& env, const std::string& name, std::string otherwise) {
    const std::optional<std::string> value = env(name);
    return value && !value->empty() ? *value : std::move(otherwise);
}

/// $XDG_x or its default below the home folder; empty when there is no home folder either.
std::string xdg_folder(const EnvLookup& env, const std::string& variable, const char* below_home) {
    const std::string home = value_or(env, "HOME", "");
    const std::string given = value_or(env, variable, "");
    if (given.starts_with('/')) {
        return given;  // the specification says that relative ones are ignored
    }
    return home.empty() ? "" : (fs::path(home) / below_home).string();
}

class Loader {
  public:
    explicit Loader(const EnvLookup& env) : env_(env) {}

    Result<Settings> load(const SettingOverrides& overrides) {
        Settings settings;
        read_file(settings, overrides.without_file);
        select_profile(overrides, settings);
        for (const SettingInfo& info : setting_table()) {
            resolve(info, overrides, settings);
        }
        check(settings);
        if (!problems_.empty()) {
            return Error(Code::validation, "the configuration is not right", std::move(problems_));
        }
        return settings;
    }

  private:
    void read_file(Settings& settings, bool only_place) {
        const std::string folder = xdg_folder(env_, "XDG_CONFIG_HOME", ".config");
        const std::string usual = folder.empty() ? "" : folder + "/llm-research/config";
        std::error_code code;
        // YAML was first, and is still read where there is nothing else.
        const bool old = !usual.empty() && !fs::exists(usual + ".toml", code) &&
                         fs::exists(usual + ".yaml", code);
        settings.config_file = value_or(
            env_, "LLM_RESEARCH_CONFIG", usual.empty() ? "" : usual + (old ? ".yaml" : ".toml")
        );
        std::ifstream file(settings.config_file, std::ios::binary);
        if (settings.config_file.empty() || !file) {
            return;
        }
        settings.config_file_found = true;
        if (only_place) {
            return;
        }
        std::ostringstream text;
        text << file.rdbuf();
        const std::string& path = settings.config_file;
        if (text.view().size() > kFileBytesMax) {
            problems_.push_back({path, "is larger than a configuration can be"});
            return;
        }
        auto document = path.ends_with(".yaml") || path.ends_with(".yml")
                            ? parse_yaml(text.view(), {.bytes_max = kFileBytesMax})
                            : parse_toml(text.view());
        if (!document) {
            problems_.push_back({path, document.error().message});
            return;
        }
        document_ = std::move(*document);
        check_keys(settings.config_file);
    }

    void complain(const std::string& file, const std::string& path, std::string message) {
        const Mark mark = document_.map.locate(path);
        problems_.push_back(
            {file + ":" + std::to_string(mark.line) + ":" + std::to_string(mark.column),
             std::move(message)}
        );
    }

    void check_keys(const std::string& file) {
        const Json& root = document_.value;
        if (root.is_null()) {
            document_.value = Json::object();
            return;
        }
        if (!root.is_object()) {
            complain(file, "", "expected settings, `profile` and `profiles`");
            return;
        }
        check_settings(file, "", root);
        if (!root.contains("profiles")) {
            return;
        }
        if (!root["profiles"].is_object()) {
            complain(file, "profiles", "expected profiles by their names");
            return;
        }
        for (const auto& [name, profile] : root["profiles"].items()) {
            const std::string path = path_member("profiles", name);
            if (!profile.is_object()) {
                complain(file, path, "a profile is a mapping of settings");
                continue;
            }
            check_settings(file, path, profile);
        }
    }

    void check_settings(const std::string& file, const std::string& path, const Json& settings) {
        std::vector<std::string> keys;
        for (const SettingInfo& info : setting_table()) {
            keys.emplace_back(info.key);
        }
        for (const auto& [key, value] : settings.items()) {
            const bool of_profiles = path.empty() && (key == "profile" || key == "profiles");
            if (!of_profiles && std::ranges::find(keys, key) == keys.end()) {
                const std::string near = nearest(key, keys);
                complain(
                    file,
                    path_member(path, key),
                    "unknown setting \"" + key + "\"" +
                        (near.empty() ? "" : ", did you mean \"" + near + "\"?")
                );
            }
        }
    }

    void select_profile(const SettingOverrides& overrides, Settings& settings) {
        const Json& root = document_.value;
        settings.profile = overrides.profile.value_or(value_or(env_, "LLM_RESEARCH_PROFILE", ""));
        if (settings.profile.empty() && root.is_object() && root.contains("profile") &&
            root["profile"].is_string()) {
            settings.profile = root["profile"].get<std::string>();
        }
        if (settings.profile.empty()) {
            return;
        }
        if (root.is_object() && root.contains("profiles") && root["profiles"].is_object() &&
            root["profiles"].contains(settings.profile)) {
            profile_ = root["profiles"][settings.profile];
            return;
        }
        problems_.push_back(
            {"--profile",
             "there is no profile \"" + settings.profile + "\" in " +
                 (settings.config_file.empty() ? "a configuration file" : settings.config_file)}
        );
    }

    void resolve(const SettingInfo& info, const SettingOverrides& overrides, Settings& settings) {
        const std::string key(info.key);
        std::string value(info.default_text);
        std::string from = "default";
        if (key == "home") {
            const std::string data = xdg_folder(env_, "XDG_DATA_HOME", ".local/share");
            value = data.empty() ? "" : data + "/llm-research";
        }
        if (document_.value.is_object() && document_.value.contains(key)) {
            const Json& given = document_.value[key];
            value = given.is_string() ? given.get<std::string>() : dump_json(given);
            from = "configuration file";
        }
        if (profile_.is_object() && profile_.contains(key)) {
            const Json& given = profile_[key];
            value = given.is_string() ? given.get<std::string>() : dump_json(given);
            from = "profile " + settings.profile;
        }
        const std::string variable(info.environment);
        if (const std::string given = value_or(env_, variable, ""); !given.empty()) {
            // NO_COLOR means what it says whatever its value (no-color.org).
            value = variable == "NO_COLOR" ? "false" : given;
            from = "environment " + variable;
        }
        const auto option = [&](const std::optional<std::string>& given, const char* name) {
            if (given) {
                value = *given;
                from = std::string("option ") + name;
            }
        };
        if (key == "home") {
            option(overrides.home, "--home");
            // A shell has done this already, where there was one.
            const std::string home = value_or(env_, "HOME", "");
            if (!home.empty() && (value == "~" || value.starts_with("~/"))) {
                value = home + value.substr(1);
            }
            settings.home = value;
        } else if (key == "output") {
            option(overrides.output, "--output");
            settings.output = value;
        } else if (key == "api_url") {
            option(overrides.api_url, "--api-url");
            settings.api_url = value;
        } else if (key == "timeout_secs") {
            settings.timeout_secs = whole_number(value, 1, 3600, key, from);
        } else if (key == "max_retries") {
            settings.max_retries = whole_number(value, 0, 20, key, from);
        } else if (key == "color") {
            option(
                overrides.no_color ? std::optional<std::string>("false") : std::nullopt,
                "--no-color"
            );
            if (value != "true" && value != "false") {
                problems_.push_back({from, "color is true or false"});
            }
            settings.color = value == "true";
        }
        settings.origins.push_back({key, value, from});
    }

    std::int64_t whole_number(
        const std::string& text,
        std::int64_t min,
        std::int64_t max,
        const std::string& key,
        const std::string& from
    ) {
        std::int64_t out = 0;
        const char* const end = text.data() + text.size();
        const auto [rest, error] = std::from_chars(text.data(), end, out);
        if (error != std::errc() || rest != end || out < min || out > max) {
            problems_.push_back(
                {from,
                 key + " is a whole number, " + std::to_string(min) + " to " + std::to_string(max)}
            );
            return min;
        }
        return out;
    }

    void check(const Settings& settings) {
        static const std::vector<std::string> kOutputs{"table", "json", "yaml", "csv", "compact"};
        if (std::ranges::find(kOutputs, settings.output) == kOutputs.end()) {
            problems_.push_back(
                {"--output",
                 "\"" + shorten(settings.output, 40) +
                     "\" is not an output format; "
                     "the formats are " +
                     join(kOutputs, ", ")}
            );
        }
        if (settings.home.empty()) {
            problems_.push_back(
                {"LLM_RESEARCH_HOME", "neither it nor HOME is set: where shall results be kept?"}
            );
        }
    }

    const EnvLookup& env_;
    Document document_;
    Json profile_;
    std::vector<Detail> problems_;
};

}  // namespace

EnvLookup process_environment() {
    return [](const std::string& name) -> std::optional<std::string> {
        const char* value = std::getenv(name.c_str());
        return value == nullptr ? std::nullopt : std::optional<std::string>(value);
    };
}

const std::vector<SettingInfo>& setting_table() {
    static const std::vector<SettingInfo> kTable{
        {"home",
         "LLM_RESEARCH_HOME",
         "$XDG_DATA_HOME/llm-research, ~/.local/share/llm-research",
         "folder of the store: runs, datasets, outputs"},
        {"output", "LLM_RESEARCH_OUTPUT", "table", "table, json, yaml, csv or compact"},
        {"api_url",
         "LLM_RESEARCH_API_URL",
         "",
         "server that the resource commands talk to; without one the store of this home"},
        {"timeout_secs", "LLM_RESEARCH_TIMEOUT_SECS", "30", "for one answer of the server"},
        {"max_retries", "LLM_RESEARCH_MAX_RETRIES", "3", "tries of one request beyond the first"},
        {"color", "NO_COLOR", "true", "colour on terminals; off when NO_COLOR is set"},
    };
    return kTable;
}

Status check_setting(const std::string& key, const std::string& value) {
    const std::string variable = [&] {
        for (const SettingInfo& info : setting_table()) {
            if (info.key == key) {
                return std::string(info.environment);
            }
        }
        return std::string();
    }();
    const EnvLookup only = [&](const std::string& name) -> std::optional<std::string> {
        if (name == "LLM_RESEARCH_HOME" && name != variable) {
            return "/";
        }
        return name == variable ? std::optional(value) : std::nullopt;
    };
    if (key == "color") {
        return value == "true" || value == "false"
                   ? ok()
                   : Status(Error(Code::validation, "color is true or false"));
    }
    auto loaded = load_settings(only, {});
    if (!loaded) {
        const auto& details = loaded.error().details;
        return Error(
            Code::validation, details.empty() ? loaded.error().message : details.front().message
        );
    }
    return ok();
}

Result<Settings> load_settings(const EnvLookup& env, const SettingOverrides& overrides) {
    return Loader(env).load(overrides);
}

}  // namespace lab
