#include "cli/completion.h"

#include "base/text.h"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <map>
#include <vector>

namespace lab::cli {
namespace {

/// Words that may follow a command path ("", "runs", "runs list"): subcommands and options.
using Words = std::map<std::string, std::vector<std::string>>;

void collect(const CLI::App& app, const std::string& path, Words& words) {
    std::vector<std::string> here;
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
        here.push_back(sub->get_name());
        std::vector<std::string> names = sub->get_aliases();
        names.push_back(sub->get_name());
        for (const std::string& name : names) {
            collect(*sub, path.empty() ? name : path + " " + name, words);
        }
    }
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            here.push_back("--" + name);
        }
    }
    words[path] = std::move(here);
}

/// Where a subcommand has to come, so that no file is meant: as a pattern of `case`.
std::string groups_of(const Words& words) {
    std::string out;
    for (const auto& [path, list] : words) {
        const bool group = std::ranges::any_of(list, [](const std::string& word) {
            return !word.starts_with("--");
        });
        if (group && !path.empty()) {
            out += (out.empty() ? "\"" : "|\"") + path + "\"";
        }
    }
    return out;
}

std::string bash(const Words& words) {
    std::string out =
        "# bash completion: source this file, or put it into\n"
        "# ~/.local/share/bash-completion/completions/llm-research\n"
        "_llm_research() {\n"
        "    local current=\"${COMP_WORDS[COMP_CWORD]}\" path=\"\" word words\n"
        "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
        "        case \"$path $word\" in\n";
    for (const auto& [path, list] : words) {
        if (!path.empty()) {
            const std::size_t cut = path.rfind(' ');
            const std::string before = cut == std::string::npos ? "" : path.substr(0, cut);
            const std::string last = cut == std::string::npos ? path : path.substr(cut + 1);
            out += "            \"" + before + " " + last + "\") path=\"" + path + "\" ;;\n";
        }
    }
    out += "        esac\n    done\n    case \"$path\" in\n";
    for (const auto& [path, list] : words) {
        out += "        \"" + path + "\") words=\"" + join(list, " ");
        if (const auto root = words.find(""); !path.empty() && root != words.end()) {
            for (const std::string& word : root->second) {
                out += word.starts_with("--") && word != "--help" ? " " + word : "";
            }
        }
        out += "\" ;;\n";
    }
    out +=
        "    esac\n"
        "    local group=\"\"\n"
        "    case \"$path\" in\n        " +
        groups_of(words) +
        ") group=1 ;;\n    esac\n"
        "    if [[ $current == -* || -z $path || -n $group ]]; then\n"
        "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
        "    else\n"
        "        mapfile -t COMPREPLY < <(compgen -f -W \"$words\" -- \"$current\")\n"
        "    fi\n"
        "}\n"
        "complete -o filenames -F _llm_research llm-research\n";
    return out;
}

std::string zsh(const Words& words) {
    return "#compdef llm-research\n# zsh completion: put this file as _llm-research into a folder "
           "of "
           "$fpath\nautoload -U +X bashcompinit && bashcompinit\n" +
           bash(words);
}

std::string fish(const Words& words) {
    std::string out =
        "# fish completion: put it into ~/.config/fish/completions/llm-research.fish\n";
    for (const auto& [path, list] : words) {
        std::string condition = "__fish_use_subcommand";
        if (!path.empty()) {
            condition.clear();
            for (const std::string_view word : split(path, ' ')) {
                condition += condition.empty() ? "" : "; and ";
                condition += "__fish_seen_subcommand_from " + std::string(word);
            }
        }
        for (const std::string& word : list) {
            out += "complete -c llm-research -n '" + condition + "' ";
            out += word.starts_with("--") ? "-l " + word.substr(2) : "-a " + word;
            out += '\n';
        }
    }
    return out;
}

}  // namespace

Result<std::string> completion_script(const CLI::App& app, const std::string& shell) {
    Words words;
    collect(app, "", words);
    if (shell == "bash") {
        return bash(words);
    }
    if (shell == "zsh") {
        return zsh(words);
    }
    if (shell == "fish") {
        return fish(words);
    }
    return Error(Code::validation, "there is completion for bash, zsh and fish, not for " + shell);
}

}  // namespace lab::cli
