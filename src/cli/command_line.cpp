#include "cli/impl/command_line.h"

#include "base/text.h"
#include "cli/console.h"

#include <CLI/CLI.hpp>

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

}  // namespace

std::string examples(std::initializer_list<std::string_view> lines) {
    std::string out = "Examples:";
    for (const std::string_view line : lines) {
        out += "\n  ";
        out += line;
    }
    return out;
}

CommandLine::CommandLine(const std::string& version)
    : app_(std::make_unique<CLI::App>(
          "LLM Research Lab: which model, which prompt, how much better, how sure, at what cost"
      )) {
    CLI::App& app = *app_;
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
    app.set_version_flag("--version", "llm-research " + version);
    add_globals(app, globals_);
    const Choose choose = [this](Action chosen_action) { action_ = std::move(chosen_action); };
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
    add_migrate_commands(app, choose);
    add_info_commands(app, choose);
}

CommandLine::~CommandLine() = default;

std::optional<int> CommandLine::read(int argc, const char* const* argv, const Deps& deps) {
    try {
        app_->parse(argc, argv);
    } catch (const CLI::Success& asked) {  // --help and --version
        const std::string text = dynamic_cast<const CLI::CallForVersion*>(&asked) != nullptr
                                     ? std::string(asked.what()) + "\n"
                                     : help_text(*app_);
        return write_all(deps.out, text) ? 0 : 1;
    } catch (const CLI::Error& error) {
        return usage_error(*app_, error.what(), argc, argv, deps);
    }
    if (!action_) {
        return usage_error(*app_, "a command is needed", argc, argv, deps);
    }
    return std::nullopt;
}

const Action& CommandLine::action() const {
    LAB_ASSERT(action_.has_value(), "a command line was read before it is carried out");
    return *action_;
}

std::string CommandLine::path() const { return chosen_path(*app_); }

}  // namespace lab::cli
