#pragma once
#include "base/uuid.h"
#include "cli/cli.h"
#include "cli/console.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace lab::cli {

class ApiClient;

/// What the global options say, and the way to the services.
struct Globals {
    SettingOverrides overrides;
    std::vector<std::string> save;
    bool verbose = false;
    std::string api_key;  ///< of --api-key
};

/// Handed to a command when it runs.
struct Invocation {
    Deps& deps;
    const Settings& settings;
    const Console& console;
    const std::vector<std::string>& save;
    const std::string& api_key;  ///< of the option or the environment; empty = none
    UuidSource& uuids;
    std::unique_ptr<ApiClient>& client;  ///< made by api_of() when it is first asked for
    /// Opens the services.
    Result<service::Deps*> services() const { return deps.open(settings); }
};

/// A command's work; gives the exit code, or an error whose code decides it.
using Action = std::function<Result<int>(const Invocation&)>;
/// Called when CLI11 has recognised the command.
using Choose = std::function<void(Action)>;

void add_run_commands(CLI::App& app, const Choose& choose);         ///< run, resume, validate
void add_result_commands(CLI::App& app, const Choose& choose);      ///< report, compare, runs
void add_dataset_commands(CLI::App& app, const Choose& choose);     ///< datasets
void add_experiment_commands(CLI::App& app, const Choose& choose);  ///< experiments
void add_model_commands(CLI::App& app, const Choose& choose);       ///< models
void add_evaluation_commands(CLI::App& app, const Choose& choose);  ///< evaluations
void add_agent_commands(CLI::App& app, const Choose& choose);       ///< agents
void add_auth_commands(CLI::App& app, const Choose& choose);        ///< auth
void add_config_commands(CLI::App& config, const Choose& choose);   ///< of the group config
void add_prompt_commands(CLI::App& app, const Choose& choose);      ///< prompts
void add_migrate_commands(CLI::App& app, const Choose& choose);     ///< migrate
void add_moving_commands(CLI::App& admin, const Choose& choose);    ///< of the group admin
void add_server_commands(CLI::App& app, const Choose& choose);      ///< serve, admin
void add_info_commands(CLI::App& app, const Choose& choose);        ///< schema, config, doctor, ...

/// Text under the options of --help.
std::string examples(std::initializer_list<std::string_view> lines);

/// Whether reports can be written there: what cannot be is said before a run, not behind it.
/// Errors: validation, of the first path that is wrong.
Status check_report_paths(const std::vector<std::string>& paths);

/// Prints a report in the chosen format and writes it to every path of `save`; one that cannot be
/// written keeps neither the others nor the print back. Errors: of the last such path.
Status deliver_report(
    const Invocation& invocation,
    const std::vector<std::string>& ids,
    const std::vector<std::string>& extra_paths,
    bool& gates_passed
);

}  // namespace lab::cli
