#include "cli/cli.h"

#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/console.h"
#include "cli/impl/command_line.h"

#include <algorithm>
#include <array>
#include <csignal>

namespace lab::cli {
namespace {

/// What has to work although the configuration file is broken: how else would it be mended?
bool works_without_file(std::string_view command) {
    constexpr std::array<std::string_view, 4> kCommands{
        "llm-research version",
        "llm-research completion",
        "llm-research config path",
        "llm-research config reset",
    };
    return std::ranges::find(kCommands, command) != kCommands.end();
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

int run(int argc, const char* const* argv, Deps& deps) {
    CommandLine line(deps.version);
    if (const std::optional<int> code = line.read(argc, argv, deps)) {
        return *code;
    }
    return carry_out(line.action(), line.globals(), deps, works_without_file(line.path()));
}

}  // namespace lab::cli
