#pragma once
#include "platform/config/settings.h"
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <string>

namespace lab {

/// The configuration file, to be changed: settings for everything at the top, `profile` (the one in
/// use), `profiles.NAME` with settings that go before. What is written is TOML; comments of a file
/// that is changed are not kept.
class ConfigFile {
  public:
    /// An absent file is an empty one. Errors: validation (broken; profiles that are no tables;
    /// YAML, which is only read), io.
    static Result<ConfigFile> load(const std::string& path);
    /// With nothing in it, whatever the file holds. Errors: validation (YAML).
    static Result<ConfigFile> anew(const std::string& path);
    const std::string& path() const { return path_; }
    const Json& root() const { return root_; }

    /// The settings of a profile; of all, when `profile` is empty. Errors: not_found.
    Result<Json> settings_of(const std::string& profile) const;
    /// Errors: validation (no such setting, not a value of it), not_found (the profile).
    Status set(const std::string& profile, const std::string& key, const std::string& value);
    /// Errors: not_found, naming those that exist.
    Status use(const std::string& profile);
    /// `from`: the profile whose settings it begins with; empty = none. Errors: conflict,
    /// validation (a name of other than letters, digits, - and _), not_found.
    Status create(const std::string& profile, const std::string& from);
    /// Errors: not_found, validation (no name).
    Status remove(const std::string& profile);

    /// Replaces the file as a whole. Errors: io.
    Status save() const;

  private:
    explicit ConfigFile(std::string path) : path_(std::move(path)) {}
    Status need(const std::string& profile) const;
    std::string path_;
    Json root_ = Json::object();
};

/// Writes a file beside that of this name with these rights and puts it in its place: there is the
/// old one or the new one, never half of one, and it is on the disk. Links stay: the file they lead
/// to is replaced. Folders are made. Errors: io.
Status replace_file(const std::string& named, std::string_view text, unsigned mode);

}  // namespace lab
