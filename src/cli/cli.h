#pragma once
#include "platform/config/settings.h"
#include "platform/json/json.h"
#include "service/deps.h"

#include <chrono>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lab::cli {

class Keyring;
class Transport;

/// One line of `doctor`.
struct Finding {
    std::string check;
    bool good = true;
    std::string found;
    std::string advice;  ///< what to do; empty when good
};

struct ServeOptions {
    std::optional<std::string> host;
    std::optional<int> port;
    bool api = true;     ///< listens for requests
    bool worker = true;  ///< carries out runs
};

/// What an operator does to the store of the service without a server.
struct AdminRequest {
    enum class What : std::uint8_t {
        create_user,
        create_token,
        create_key,
        maintenance_on,
        maintenance_off,
        maintenance_status,
    };
    What what = What::create_user;
    std::string email;
    std::string name;
    std::string password;
    std::vector<std::string> roles;
    std::string tier = "professional";
    std::string org;  ///< name of the tenant, made when there is none; empty: the default one
    std::vector<std::string> scopes;
    std::chrono::seconds life{3600};  ///< of a token
    std::string reason;               ///< of maintenance
};

/// What is asked about the schema of PostgreSQL.
struct MigrateRequest {
    enum class What : std::uint8_t { run, info, revert };
    What what = What::info;
    std::string database_url;            ///< empty: DATABASE_URL
    std::optional<std::int64_t> target;  ///< of revert: the last version that stays
};

/// A store that goes to another place.
struct MoveRequest {
    enum class What : std::uint8_t { store, backup, restore };
    What what = What::store;
    std::string from;  ///< of store and restore
    std::string to;    ///< of store and backup
    bool force = false;
};
struct Moved {
    /// Of store: table, rows, of them copied, hash, whether both sides are equal.
    std::vector<std::vector<std::string>> tables;
    std::vector<std::pair<std::string, std::string>> fields;  ///< of the others
    std::vector<std::string> notes;                           ///< what else is to be done
};

/// What the command line needs of the program; app fills it in. Nothing is opened before a command
/// asks, so that --help answers at once.
struct Deps {
    EnvLookup env;
    std::string version;
    std::string build;  ///< compiler and options, for `version -v`
    /// Opens the services with these settings; called at most once.
    std::function<Result<service::Deps*>(const Settings&)> open;
    std::function<std::vector<Finding>(const Settings&)> doctor;
    /// What experiment files may name; needs no store.
    std::function<const domain::SpecVocabulary&()> vocabulary;
    /// What Ctrl-C and SIGTERM call, on the loop's thread; nullptr = the default action.
    std::function<void(std::function<void()>)> on_interrupt;
    /// Serves until a signal ends it; gives the exit code.
    std::function<Result<int>(const Settings&, const ServeOptions&)> serve;
    std::function<Result<Json>(const Settings&, const AdminRequest&)> administer;
    /// A row for each step of the schema: version, name, state.
    std::function<Result<std::vector<std::vector<std::string>>>(const MigrateRequest&)> migrate;
    std::function<Result<Moved>(const Settings&, const MoveRequest&)> move;
    /// The settings of the server as they are, secrets masked: key, value, where it comes from.
    std::function<Result<std::vector<std::vector<std::string>>>()> server_settings;
    /// The way to the API that the settings choose: a server, or the same API in this process.
    /// Called at most once.
    std::function<Result<Transport*>(const Settings&)> connect;
    /// The keyring of the operating system; nullptr = there is none.
    std::function<Keyring*()> keyring;
    std::FILE* out = stdout;
    std::FILE* err = stderr;
};

/// Runs one command line. Data goes to out, messages to err. Gives the exit code: 0 passed, 100 a
/// gate failed, 2 the input is wrong, 130 interrupted, 1 anything else.
int run(int argc, const char* const* argv, Deps& deps);

}  // namespace lab::cli
