#include "base/text.h"
#include "platform/config/impl/setting_value.h"
#include "platform/config/server_settings.h"

namespace lab {
namespace {

/// A cell of a table: no bar may end it.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        out += c == '|' ? "\\|" : std::string(1, c);
    }
    return out;
}

std::string code(std::string_view text) { return text.empty() ? "" : "`" + cell(text) + "`"; }

std::string range(std::string min, std::string max) { return min + " to " + max; }

std::string type_of(const ServerSettingInfo& info) {
    switch (info.type) {
        case SettingType::text:
            return "text";
        case SettingType::choice:
        case SettingType::url: {
            std::string out;
            for (const std::string_view word : split(info.words, '|')) {
                out += out.empty() ? "" : ", ";
                out += code(std::string(word) + (info.type == SettingType::url ? "://" : ""));
            }
            return out;
        }
        case SettingType::integer:
            return range(std::to_string(info.min), std::to_string(info.max));
        case SettingType::ratio:
            return "0 to 1";
        case SettingType::duration:
            return "time, " +
                   range(config::describe_duration(info.min), config::describe_duration(info.max));
        case SettingType::boolean:
            return "boolean";
        case SettingType::size:
            return "size, up to " + config::describe_size(info.max);
        case SettingType::list:
            return "list";
        case SettingType::arn:
            return "ARN";
    }
    LAB_ASSERT(false, "a type has a description");
}

std::string row_of(const ServerSettingInfo& info) {
    std::string notes;
    if (info.secret) {
        notes += " *Secret.*";
    }
    if (info.live) {
        notes += " *Live.*";
    }
    const std::string alias = info.alias.empty() ? "" : ", " + code(info.alias);
    return "| " + code(info.key) + alias + " | " + type_of(info) + " | " + code(info.default_text) +
           " | " + cell(info.help) + notes + " |\n";
}

}  // namespace

std::string settings_markdown() {
    std::string out =
        "\n## Command line\n\n| key | environment | default | meaning |\n|---|---|---|---|\n";
    for (const SettingInfo& info : setting_table()) {
        out += "| " + code(info.key) + " | " + code(info.environment) + " | " +
               cell(info.default_text) + " | " + cell(info.help) + " |\n";
    }
    out += "\n## Server\n";
    std::string_view group;
    for (const ServerSettingInfo& info : server_setting_table()) {
        if (info.group != group) {
            group = info.group;
            out += "\n### " + std::string(group) +
                   "\n\n| variable | values | default | meaning |\n|---|---|---|---|\n";
        }
        out += row_of(info);
    }
    return out;
}

}  // namespace lab
