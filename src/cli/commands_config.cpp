#include "base/text.h"
#include "cli/api_command.h"
#include "platform/config/config_file.h"

#include <CLI/CLI.hpp>

#include <algorithm>

namespace lab::cli {
namespace {

struct ConfigOptions {
    std::string key;
    std::string value;
    std::string profile;
    std::string api_url;
    std::string from;
    bool force = false;
};
using Given = std::shared_ptr<ConfigOptions>;

/// Every setting with its value and where it comes from.
Status print_settings(const Invocation& in) {
    Table table{.columns = {"setting", "value", "from"}, .rows = {}, .numeric = {}};
    for (const Settings::Origin& origin : in.settings.origins) {
        table.rows.push_back({origin.key, origin.value, origin.from});
    }
    table.rows.push_back({"profile", in.settings.profile.empty() ? "-" : in.settings.profile, ""});
    const std::string file = in.settings.config_file.empty() ? "none" : in.settings.config_file;
    table.rows.push_back({"config file", file, in.settings.config_file_found ? "found" : "absent"});
    return print_table(in.console, table, in.settings.output);
}

Result<int> do_get(const Invocation& in, const Given& given) {
    const auto& origins = in.settings.origins;
    const auto found = std::ranges::find(origins, given->key, &Settings::Origin::key);
    if (found == origins.end()) {
        std::vector<std::string> keys;
        for (const Settings::Origin& one : origins) {
            keys.push_back(one.key);
        }
        return Error(
            Code::validation,
            "there is no setting \"" + shorten(given->key, 64) + "\": there are " + join(keys, ", ")
        );
    }
    LAB_CHECK(write_all(in.console.out, found->value + "\n"));
    return 0;
}

using Change = std::function<Result<std::string>(ConfigFile&)>;

/// Changes the file; what is said then is what was done.
Result<int> change(const Invocation& in, ConfigFile file, const Change& how) {
    LAB_TRY(const std::string done, how(file));
    if (done.empty()) {
        note(in.console, "nothing was changed");
        return 1;
    }
    LAB_CHECK(file.save());
    note(in.console, done + " in " + file.path());
    return 0;
}

Result<int> change(const Invocation& in, const Change& how) {
    LAB_TRY(ConfigFile file, ConfigFile::load(in.settings.config_file));
    return change(in, std::move(file), how);
}

Result<int> do_set(const Invocation& in, const Given& given) {
    return change(in, [&](ConfigFile& file) -> Result<std::string> {
        const std::string& profile = in.settings.profile;
        LAB_CHECK(file.set(profile, given->key, given->value));
        return (given->value.empty() ? "took " + given->key + " away"
                                     : "set " + given->key + " to " + given->value) +
               (profile.empty() ? "" : " for the profile " + profile);
    });
}

Result<int> do_profiles(const Invocation& in) {
    LAB_TRY(const ConfigFile file, ConfigFile::load(in.settings.config_file));
    Table table{.columns = {"profile", "in use", "api_url", "output"}, .rows = {}, .numeric = {}};
    const Json profiles = file.root().value("profiles", Json::object());
    for (const auto& [name, settings] : profiles.items()) {
        table.rows.push_back(
            {name,
             name == in.settings.profile ? "yes" : "",
             cell_of(settings, "api_url"),
             cell_of(settings, "output")}
        );
    }
    LAB_CHECK(print_table(in.console, table, in.settings.output));
    return 0;
}

Result<int> do_create(const Invocation& in, const Given& given) {
    return change(in, [&](ConfigFile& file) -> Result<std::string> {
        LAB_CHECK(file.create(given->profile, given->from));
        if (!given->api_url.empty()) {
            LAB_CHECK(file.set(given->profile, "api_url", given->api_url));
        }
        return "made the profile " + given->profile;
    });
}

Result<int> do_delete(const Invocation& in, const Given& given) {
    return change(in, [&](ConfigFile& file) -> Result<std::string> {
        LAB_CHECK(file.remove(given->profile));
        if (!given->force) {
            LAB_TRY(const bool agreed, confirm(in, "Delete the profile " + given->profile + "?"));
            if (!agreed) {
                return std::string();
            }
        }
        return "deleted the profile " + given->profile;
    });
}

Result<int> do_reset(const Invocation& in, const Given& given) {
    // Not of what is there now: it may be what cannot be read.
    LAB_TRY(ConfigFile file, ConfigFile::anew(in.settings.config_file));
    return change(in, std::move(file), [&](ConfigFile&) -> Result<std::string> {
        if (!given->force) {
            LAB_TRY(const bool agreed, confirm(in, "Forget all settings and profiles?"));
            if (!agreed) {
                return std::string();
            }
        }
        return std::string("forgot all settings and profiles");
    });
}

using Deed = Result<int> (*)(const Invocation&, const Given&);

CLI::App* add(
    CLI::App& config,
    const Choose& choose,
    const Given& given,
    const std::string& name,
    const std::string& help,
    Deed deed
) {
    CLI::App* command = config.add_subcommand(name, help);
    command->footer(examples({"llm-research config " + name}));
    command->callback([choose, given, deed] {
        choose([given, deed](const Invocation& in) { return deed(in, given); });
    });
    return command;
}

}  // namespace

void add_config_commands(CLI::App& config, const Choose& choose) {
    const auto given = std::make_shared<ConfigOptions>();
    add(config,
        choose,
        given,
        "show",
        "Every setting and where it comes from",
        [](const Invocation& in, const Given&) -> Result<int> {
            LAB_CHECK(print_settings(in));
            return 0;
        });
    CLI::App* get = add(config, choose, given, "get", "One setting as it is in force", do_get);
    get->add_option("KEY", given->key, "Name of the setting")->required();
    get->footer(examples({"llm-research config get api_url"}));
    CLI::App* set =
        add(config,
            choose,
            given,
            "set",
            "Change a setting, of the profile in use where there is one",
            do_set);
    set->add_option("KEY", given->key, "Name of the setting")->required();
    set->add_option("VALUE", given->value, "Its value; '' takes it away")->required();
    set->footer(examples({
        "llm-research config set api_url https://lab.example.org",
        "llm-research config set output json --profile ci",
    }));
    add(config, choose, given, "profiles", "The profiles", [](const Invocation& in, const Given&) {
        return do_profiles(in);
    });
    CLI::App* use =
        add(config,
            choose,
            given,
            "use-profile",
            "Use a profile when no other is asked for",
            [](const Invocation& in, const Given& which) {
                return change(in, [&](ConfigFile& file) -> Result<std::string> {
                    LAB_CHECK(file.use(which->profile));
                    return which->profile.empty() ? std::string("use no profile")
                                                  : "use the profile " + which->profile;
                });
            });
    use->add_option("NAME", given->profile, "Name of the profile; '' for none")->required();
    use->footer(examples({"llm-research config use-profile lab"}));
    CLI::App* create = add(config, choose, given, "create-profile", "Make a profile", do_create);
    create->add_option("NAME", given->profile, "Letters, digits, - and _")->required();
    // --api-url is an option of all commands; here it is also what the profile is to say.
    create->add_option("--from", given->from, "Profile whose settings it begins with");
    create->footer(examples({
        "llm-research config create-profile lab --api-url https://lab.example.org",
    }));
    create->callback([choose, given] {
        choose([given](const Invocation& in) {
            const auto& origins = in.settings.origins;
            const auto url = std::ranges::find(origins, "api_url", &Settings::Origin::key);
            if (url != origins.end() && url->from == "option --api-url") {
                given->api_url = url->value;
            }
            return do_create(in, given);
        });
    });
    CLI::App* remove = add(config, choose, given, "delete-profile", "Delete a profile", do_delete);
    remove->add_option("NAME", given->profile, "Name of the profile")->required();
    remove->add_flag("-f,--force", given->force, "Do not ask");
    remove->footer(examples({"llm-research config delete-profile lab -f"}));
    add(config,
        choose,
        given,
        "path",
        "Where the configuration file is",
        [](const Invocation& in, const Given&) -> Result<int> {
            LAB_CHECK(write_all(in.console.out, in.settings.config_file + "\n"));
            return 0;
        });
    CLI::App* reset = add(config, choose, given, "reset", "Forget all of it", do_reset);
    reset->add_flag("-f,--force", given->force, "Do not ask");
    reset->footer(examples({"llm-research config reset --force"}));
}

}  // namespace lab::cli
