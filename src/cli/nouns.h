#pragma once
#include "cli/api_command.h"

#include <string>

namespace lab::cli {

/// What every group of resource commands has: its place in the tree and its words.
struct NounGroup {
    CLI::App* app = nullptr;
    std::string one;   ///< "experiment"
    std::string path;  ///< "/experiments"
    Columns columns;
};

/// A group of commands with its short name. `alias`: "exp".
NounGroup add_group(
    CLI::App& app,
    NounGroup group,
    const std::string& name,
    const std::string& alias,
    const std::string& help
);
/// `list` with -l/--limit, --offset, --sort; filters are added by the caller.
ApiCommand list_command(const NounGroup& group);
/// `get ID` and `delete ID [-f]`.
void add_get_and_delete(const NounGroup& group, const Choose& choose);
/// Options that describe any object: -d, --tags, --visibility, --metadata.
void add_common_options(ApiCommand& command);

}  // namespace lab::cli
