#include "platform/config/config_file.h"

#include "base/text.h"
#include "platform/config/toml.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lab {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kNameMax = 64;

Error cannot(const std::string& what, const std::string& path, int number) {
    return Error(Code::io, "cannot " + what + " " + path + ": " + std::strerror(number));
}

bool is_name(const std::string& name) {
    return !name.empty() && name.size() <= kNameMax && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '_';
    });
}

/// As the file would say it: numbers and truth values without quotes. "007" is no number: it would
/// come back as 7.
Json value_of(const std::string& text) {
    std::int64_t number = 0;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, number);
    if (error == std::errc() && rest == end && std::to_string(number) == text) {
        return number;
    }
    return text == "true" || text == "false" ? Json(text == "true") : Json(text);
}

/// Where the file itself is: whoever keeps it elsewhere and has a link to it keeps the link. It
/// need not exist yet.
Result<std::string> behind_links(const std::string& path) {
    constexpr int kLinksMax = 16;
    fs::path at = path;
    std::error_code code;
    for (int i = 0; i < kLinksMax; ++i) {
        if (!fs::is_symlink(at, code)) {
            return at.string();
        }
        const fs::path next = fs::read_symlink(at, code);
        if (code) {
            return cannot("read the link", at.string(), code.value());
        }
        at = at.parent_path() / next;  // an absolute one replaces it all
    }
    return cannot("write", path, ELOOP);
}

/// The shape that everything here goes by: profiles are tables by their names.
Status check_profiles(const Json& root, const std::string& path) {
    const auto profiles = root.find("profiles");
    if (profiles == root.end()) {
        return ok();
    }
    if (!profiles->is_object()) {
        return Error(Code::validation, path + ": `profiles` has to be tables by their names");
    }
    for (const auto& [name, settings] : profiles->items()) {
        if (!settings.is_object()) {
            return Error(
                Code::validation,
                path + ": the profile \"" + shorten(name, 64) + "\" has to be a table of settings"
            );
        }
    }
    return ok();
}

}  // namespace

Status replace_file(const std::string& named, std::string_view text, unsigned mode) {
    LAB_TRY(const std::string path, behind_links(named));
    const fs::path folder = fs::path(path).parent_path();
    std::error_code code;
    if (!folder.empty() && !fs::create_directories(folder, code) && code) {
        return cannot("make the folder", folder.string(), code.value());
    }
    const std::string temporary = path + ".tmp";
    ::unlink(temporary.c_str());
    const int file =
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
    if (file < 0) {
        return cannot("write", temporary, errno);
    }
    std::size_t done = 0;
    while (done < text.size()) {
        const ssize_t n = ::write(file, text.data() + done, text.size() - done);
        if (n < 0 && errno != EINTR) {
            break;
        }
        done += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    const int number = errno;
    const bool whole = done == text.size() && ::fsync(file) == 0;
    ::close(file);
    if (!whole || ::rename(temporary.c_str(), path.c_str()) != 0) {
        const int why = whole ? errno : number;
        ::unlink(temporary.c_str());
        return cannot("write", path, why);
    }
    return ok();
}

Result<ConfigFile> ConfigFile::anew(const std::string& path) {
    if (path.empty()) {
        return Error(
            Code::validation,
            "there is no place for a configuration file: set HOME or LLM_RESEARCH_CONFIG"
        );
    }
    std::error_code code;
    if (fs::exists(path, code) && (path.ends_with(".yaml") || path.ends_with(".yml"))) {
        return Error(
            Code::validation,
            path + " is YAML, which is read and not changed: move it to " +
                path.substr(0, path.rfind('.')) + ".toml"
        );
    }
    return ConfigFile(path);
}

Result<ConfigFile> ConfigFile::load(const std::string& path) {
    LAB_TRY(ConfigFile out, anew(path));
    std::error_code code;
    if (!fs::exists(path, code)) {
        return out;
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return cannot("read", path, errno);
    }
    std::ostringstream text;
    text << file.rdbuf();
    auto document = parse_toml(text.view());
    if (!document) {
        return Error(Code::validation, path + ":" + document.error().message);
    }
    LAB_CHECK(check_profiles(document->value, path));
    out.root_ = std::move(document->value);
    return out;
}

Status ConfigFile::need(const std::string& profile) const {
    const Json profiles = root_.value("profiles", Json::object());
    if (profile.empty() || (profiles.is_object() && profiles.contains(profile))) {
        return ok();
    }
    std::vector<std::string> names;
    for (const auto& [name, value] : profiles.items()) {
        names.push_back(name);
    }
    return Error(
        Code::not_found,
        "there is no profile \"" + shorten(profile, 64) + "\" in " + path_ +
            (names.empty() ? "" : ": there are " + join(names, ", "))
    );
}

Result<Json> ConfigFile::settings_of(const std::string& profile) const {
    LAB_CHECK(need(profile));
    if (!profile.empty()) {
        return root_["profiles"][profile];
    }
    Json out = root_;
    out.erase("profile");
    out.erase("profiles");
    return out;
}

Status ConfigFile::set(
    const std::string& profile, const std::string& key, const std::string& value
) {
    LAB_CHECK(need(profile));
    std::vector<std::string> keys;
    for (const SettingInfo& info : setting_table()) {
        keys.emplace_back(info.key);
    }
    if (std::ranges::find(keys, key) == keys.end()) {
        const std::string near = nearest(key, keys);
        return Error(
            Code::validation,
            "there is no setting \"" + shorten(key, 64) + "\": " +
                (near.empty() ? "there are " + join(keys, ", ") : "did you mean \"" + near + "\"?")
        );
    }
    Json& target = profile.empty() ? root_ : root_["profiles"][profile];
    if (value.empty()) {
        target.erase(key);
        return ok();
    }
    if (!is_utf8(value)) {
        return Error(Code::validation, "the value of " + key + " has to be UTF-8");
    }
    LAB_CHECK(check_setting(key, value));
    if (key == "api_url" && !value.starts_with("http://") && !value.starts_with("https://")) {
        return Error(
            Code::validation,
            "\"" + shorten(value, 80) +
                "\" is not the address of a server: it looks like https://lab.example.org"
        );
    }
    target[key] = value_of(value);
    return ok();
}

Status ConfigFile::use(const std::string& profile) {
    LAB_CHECK(need(profile));
    if (profile.empty()) {
        root_.erase("profile");
    } else {
        root_["profile"] = profile;
    }
    return ok();
}

Status ConfigFile::create(const std::string& profile, const std::string& from) {
    if (!is_name(profile)) {
        return Error(Code::validation, "the name of a profile is 1 to 64 letters, digits, - and _");
    }
    if (root_.contains("profiles") && root_["profiles"].contains(profile)) {
        return Error(Code::conflict, "there is a profile \"" + profile + "\" already");
    }
    Json settings = Json::object();
    if (!from.empty()) {
        LAB_TRY(settings, settings_of(from));
    }
    root_["profiles"][profile] = std::move(settings);
    return ok();
}

Status ConfigFile::remove(const std::string& profile) {
    if (profile.empty()) {
        return Error(Code::validation, "say which profile is to go");
    }
    LAB_CHECK(need(profile));
    root_["profiles"].erase(profile);
    if (root_.value("profile", Json()) == Json(profile)) {
        root_.erase("profile");
    }
    return ok();
}

Status ConfigFile::save() const { return replace_file(path_, dump_toml(root_), 0644); }

}  // namespace lab
