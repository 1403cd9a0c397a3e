#include "cli/credentials.h"

#include "platform/config/config_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace lab::cli {
namespace {

/// Longer than whoever has it may take to renew a login.
constexpr int kLockTries = 2000;
constexpr long kLockPauseNs = 20'000'000;

std::string account_of(const std::string& server, const std::string& profile) {
    return profile + "@" + server;
}

Json secrets_json(const Credential& c) {
    Json out = Json::object();
    for (const auto& [name, value] :
         {std::pair("api_key", &c.api_key),
          std::pair("access_token", &c.access_token),
          std::pair("refresh_token", &c.refresh_token)}) {
        if (!value->empty()) {
            out[name] = *value;
        }
    }
    return out;
}

void take_secrets(const Json& from, Credential& into) {
    into.api_key = from.value("api_key", "");
    into.access_token = from.value("access_token", "");
    into.refresh_token = from.value("refresh_token", "");
}

Credential credential_of(const Json& entry) {
    Credential out;
    out.server = entry.value("server", "");
    out.profile = entry.value("profile", "");
    out.email = entry.value("email", "");
    out.expires_at = entry.value("expires_at", std::int64_t{0});
    out.in_keyring = entry.value("in_keyring", false);
    take_secrets(entry, out);
    return out;
}

Error no_keyring() {
    return Error(Code::unavailable, "there is no keyring here: log in without --use-keyring");
}

}  // namespace

CredentialStore::CredentialStore(std::string path, Keyring* keyring)
    : path_(std::move(path)), keyring_(keyring) {}

Result<Json> CredentialStore::read() const {
    struct stat found{};
    if (::stat(path_.c_str(), &found) != 0) {
        return errno == ENOENT ? Result<Json>(Json::object())
                               : Error(Code::io, "cannot read " + path_);
    }
    if ((found.st_mode & 077U) != 0) {
        return Error(
            Code::validation, path_ + " may be read by others: chmod 600 it, and log in again"
        );
    }
    std::ifstream file(path_, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    auto parsed = parse_json(text.view());
    if (!file || !parsed || !parsed->is_object()) {
        return Error(Code::validation, path_ + " is broken: remove it, and log in again");
    }
    return parsed;
}

Result<std::optional<Credential>> CredentialStore::find(
    const std::string& server, const std::string& profile
) {
    LAB_TRY(const Json all, read());
    const std::string account = account_of(server, profile);
    const auto entry = all.find(account);
    if (entry == all.end() || !entry->is_object()) {
        return std::optional<Credential>();
    }
    Credential out = credential_of(*entry);
    if (out.in_keyring) {
        if (keyring_ == nullptr) {
            return no_keyring();
        }
        LAB_TRY(const auto secret, keyring_->load(account));
        if (!secret) {
            return std::optional<Credential>();
        }
        LAB_TRY(const Json secrets, parse_json(*secret));
        take_secrets(secrets, out);
    }
    return std::optional(std::move(out));
}

Status CredentialStore::save(const Credential& credential) {
    LAB_TRY(Json all, read());
    const std::string account = account_of(credential.server, credential.profile);
    Json entry = {{"server", credential.server}, {"profile", credential.profile}};
    if (!credential.email.empty()) {
        entry["email"] = credential.email;
    }
    if (credential.expires_at > 0) {
        entry["expires_at"] = credential.expires_at;
    }
    if (credential.in_keyring) {
        if (keyring_ == nullptr) {
            return no_keyring();
        }
        LAB_CHECK(keyring_->store(account, dump_json(secrets_json(credential))));
        entry["in_keyring"] = true;
    } else {
        entry.update(secrets_json(credential));
    }
    all[account] = std::move(entry);
    return replace_file(path_, dump_json_pretty(all) + "\n", 0600);
}

Status CredentialStore::remove(const std::string& server, const std::string& profile) {
    LAB_TRY(Json all, read());
    const std::string account = account_of(server, profile);
    const auto entry = all.find(account);
    if (entry == all.end()) {
        return ok();
    }
    if (entry->value("in_keyring", false) && keyring_ != nullptr) {
        LAB_CHECK(keyring_->erase(account));
    }
    all.erase(account);
    return replace_file(path_, dump_json_pretty(all) + "\n", 0600);
}

Result<std::vector<Credential>> CredentialStore::list() {
    LAB_TRY(const Json all, read());
    std::vector<Credential> out;
    for (const auto& [account, entry] : all.items()) {
        if (entry.is_object()) {
            out.push_back(credential_of(entry));
        }
    }
    return out;
}

Result<std::shared_ptr<void>> CredentialStore::lock() {
    const std::string path = path_ + ".lock";
    const std::filesystem::path folder = std::filesystem::path(path).parent_path();
    std::error_code code;
    if (!folder.empty() && !std::filesystem::create_directories(folder, code) && code) {
        return Error(Code::io, "cannot make the folder " + folder.string() + ": " + code.message());
    }
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    int number = file < 0 ? errno : EWOULDBLOCK;
    for (int tries = 0; file >= 0 && number == EWOULDBLOCK && tries < kLockTries; ++tries) {
        number = ::flock(file, LOCK_EX | LOCK_NB) == 0 ? 0 : errno;
        if (number == EWOULDBLOCK) {
            const timespec pause{.tv_sec = 0, .tv_nsec = kLockPauseNs};
            ::nanosleep(&pause, nullptr);
        }
    }
    if (number != 0) {
        if (file >= 0) {
            ::close(file);
        }
        return Error(Code::io, "cannot lock " + path + ": " + std::strerror(number));
    }
    return std::shared_ptr<void>(nullptr, [file](void*) { ::close(file); });
}

}  // namespace lab::cli
