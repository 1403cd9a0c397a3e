#include "cli/cli.h"

#include "base/text.h"
#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/console.h"

#include <CLI/CLI.hpp>

#include <csignal>
#include <optional>

namespace lab::cli {
namespace {

constexpr int kUsageError = 2;

void add_globals(CLI::App& app, Globals& globals) {
    app.add_option("-o,--output", globals.overrides.output, "table, json, yaml, csv or compact")
        ->type_name("FORMAT");
    app.add_option(
           "--save",
           globals.save,
           "Save the report too; the extension chooses the format: "
           "html, json, yaml, csv (.comparisons.csv, .items.csv), md, xml. May be repeated"
    )
        ->type_name("FILE")
        ->take_all()
        ->expected(1);
    app.add_option("--home", globals.overrides.home, "Folder of the store (LLM_RESEARCH_HOME)")
        ->type_name("FOLDER");
    app.add_option("-p,--profile", globals.overrides.profile, "Profile of the configuration file")
        ->type_name("NAME");
    app.add_option(
           "--api-url",
           globals.overrides.api_url,
           "Server to talk to (LLM_RESEARCH_API_URL); without one the store of this home"
    )
        ->type_name("URL");
    app.add_option(
           "--api-key",
           globals.api_key,
           "Key for the server; better in LLM_RESEARCH_API_KEY, where no list of processes shows it"
    )
        ->type_name("KEY");
    app.add_flag("-v,--verbose", globals.verbose, "Say more");
    app.add_flag("--no-color", globals.overrides.no_color, "No colour");
}

/// Names of all commands one level below `app`.
std::vector<std::string> names_below(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
        names.push_back(sub->get_name());
    }
    return names;
}

void add_option_names(const CLI::App& app, std::vector<std::string>& names) {
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            names.push_back("--" + name);
        }
    }
}

/// The command that the arguments chose, as deep as it goes.
const CLI::App& chosen(const CLI::App& app) {
    const std::vector<CLI::App*> subs = app.get_subcommands();
    return subs.empty() ? app : chosen(*subs.front());
}

/// The same in words: "llm-research runs list".
std::string chosen_path(const CLI::App& app) {
    const std::vector<CLI::App*> subs = app.get_subcommands();
    return app.get_name() + (subs.empty() ? "" : " " + chosen_path(*subs.front()));
}

/// The first argument that no command knows, and what may have been meant; empty = nothing.
struct Unknown {
    std::string word;
    std::string near;
};

Unknown find_unknown(const CLI::App& app, int argc, const char* const* argv) {
    const CLI::App& command = chosen(app);
    std::vector<std::string> words = names_below(command);
    add_option_names(command, words);
    add_option_names(app, words);
    for (int i = 1; i < argc; ++i) {
        const std::string argument = argv[i];
        const std::string word = argument.substr(0, argument.find('='));
        if (std::ranges::find(words, word) != words.end() || word.empty()) {
            continue;
        }
        const bool is_option = word.starts_with("--");
        const bool may_be_command = !is_option && !names_below(command).empty();
        if (!is_option && !may_be_command) {
            continue;
        }
        if (const std::string near = nearest(word, words); !near.empty()) {
            return {word, near};
        }
    }
    return {};
}

int usage_error(
    const CLI::App& app,
    const std::string& message,
    int argc,
    const char* const* argv,
    const Deps& deps
) {
    const Console console = make_console(deps.out, deps.err, !deps.env("NO_COLOR"), false);
    std::string words = message;
    const Unknown unknown = find_unknown(app, argc, argv);
    std::vector<Detail> details;
    if (!unknown.near.empty()) {
        details.push_back({"", "did you mean \"" + unknown.near + "\"?"});
    }
    if (message == "A subcommand is required") {
        words = unknown.word.empty() || unknown.word.starts_with('-')
                    ? "a command is needed: " + join(names_below(chosen(app)), ", ")
                    : "there is no command \"" + shorten(unknown.word, 64) + "\"";
    }
    details.push_back({"", "see: " + chosen_path(app) + " --help"});
    print_error(console, Error(Code::bad_request, std::move(words), std::move(details)));
    return kUsageError;
}

/// Help of the chosen command, called by its whole name, with the options every command has.
std::string help_text(const CLI::App& app) {
    const bool whole = &chosen(app) == &app;
    return app.help() + (whole ? "" : "\nOptions of all commands: llm-research --help\n");
}

/// What has to work although the configuration file is broken: how else would it be mended?
bool works_without_file(const CLI::App& app) {
    constexpr std::array<std::string_view, 4> kCommands{
        "llm-research version",
        "llm-research completion",
        "llm-research config path",
        "llm-research config reset",
    };
    return std::ranges::find(kCommands, chosen_path(app)) != kCommands.end();
}

int carry_out(const Action& action, const Globals& globals, Deps& deps, bool without_file) {
    const bool color = !globals.overrides.no_color && !deps.env("NO_COLOR");
    const Console plain = make_console(deps.out, deps.err, color, globals.verbose);
    auto settings = load_settings(deps.env, globals.overrides);
    if (!settings && without_file) {
        SettingOverrides overrides = globals.overrides;
        overrides.without_file = true;
        settings = load_settings(deps.env, overrides);
    }
    if (!settings) {
        print_error(plain, settings.error());
        return info(settings.error().code).exit_code;
    }
    const Console console = make_console(deps.out, deps.err, settings->color, globals.verbose);
    if (const Status saved = check_report_paths(globals.save); !saved) {
        print_error(console, saved.error());
        return info(saved.error().code).exit_code;
    }
    const std::string key =
        globals.api_key.empty() ? deps.env("LLM_RESEARCH_API_KEY").value_or("") : globals.api_key;
    RandomUuids uuids;
    std::unique_ptr<ApiClient> client;
    const Invocation invocation{deps, *settings, console, globals.save, key, uuids, client};
    const Result<int> code = action(invocation);
    if (!code && is_reader_gone(code.error())) {
        // Nobody is left to be told; the code is that of a program which the signal has ended.
        return 128 + SIGPIPE;
    }
    if (!code) {
        print_error(console, code.error());
        return info(code.error().code).exit_code;
    }
    return *code;
}

}  // namespace

std::string examples(std::initializer_list<std::string_view> lines) {
    std::string out = "Examples:";
    for (const std::string_view line : lines) {
        out += "\n  ";
        out += line;
    }
    return out;
}

int run(int argc, const char* const* argv, Deps& deps) {
    CLI::App app(
        "LLM Research Lab: which model, which prompt, how much better, how sure, at what cost"
    );
    app.name("llm-research");
    app.require_subcommand(1);
    app.fallthrough();
    app.get_formatter()->column_width(34);
    app.footer(examples({
        "llm-research validate experiment.yaml",
        "llm-research run experiment.yaml --save report.html",
        "llm-research resume last",
        "llm-research compare 3f2a 91bc",
    }));
    app.set_version_flag("--version", "llm-research " + deps.version);
    Globals globals;
    add_globals(app, globals);
    std::optional<Action> action;
    const Choose choose = [&action](Action chosen_action) { action = std::move(chosen_action); };
    add_run_commands(app, choose);
    add_result_commands(app, choose);
    add_experiment_commands(app, choose);
    add_model_commands(app, choose);
    add_dataset_commands(app, choose);
    add_prompt_commands(app, choose);
    add_evaluation_commands(app, choose);
    add_agent_commands(app, choose);
    add_auth_commands(app, choose);
    add_server_commands(app, choose);
    add_info_commands(app, choose);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) {  // --help and --version
        const std::string text = dynamic_cast<const CLI::CallForVersion*>(&asked) != nullptr
                                     ? std::string(asked.what()) + "\n"
                                     : help_text(app);
        return write_all(deps.out, text) ? 0 : 1;
    } catch (const CLI::Error& error) {
        return usage_error(app, error.what(), argc, argv, deps);
    }
    if (!action) {
        return usage_error(app, "a command is needed", argc, argv, deps);
    }
    return carry_out(*action, globals, deps, works_without_file(app));
}

}  // namespace lab::cli
