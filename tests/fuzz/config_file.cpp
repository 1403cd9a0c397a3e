#include "platform/config/config_file.h"

#include "base/text.h"
#include "fuzz/fuzz.h"
#include "fuzz/memory_file.h"
#include "platform/config/toml.h"

#include <algorithm>

namespace {
using namespace lab;
using fuzz::require;

constexpr std::size_t kMessageBytesMax = 1024;

void check_error(const Error& error) {
    require(is_utf8(error.message), "a message is UTF-8");
    require(error.message.size() <= kMessageBytesMax, "a message has a length");
    for (const Detail& detail : error.details) {
        require(!detail.field.empty() && !detail.message.empty(), "a detail says where and what");
        require(is_utf8(detail.message), "a detail is UTF-8");
    }
}

Result<Settings> settings_of(const fuzz::MemoryFile& file) {
    const EnvLookup environment = [&](const std::string& name) -> std::optional<std::string> {
        return name == "LLM_RESEARCH_CONFIG" ? std::optional(file.path())
               : name == "LLM_RESEARCH_HOME" ? std::optional<std::string>("/home of the target")
                                             : std::nullopt;
    };
    auto out = load_settings(environment, {});
    if (!out) {
        check_error(out.error());
        require(!out.error().details.empty(), "a refusal says what is wrong");
        return out;
    }
    require(out->config_file_found, "the file was there");
    require(out->timeout_secs >= 1 && out->timeout_secs <= 3600, "a time is within its bounds");
    require(out->max_retries >= 0 && out->max_retries <= 20, "tries are within their bounds");
    require(out->home == "/home of the target", "the environment goes before the file");
    require(out->origins.size() == setting_table().size(), "each setting comes from somewhere");
    return out;
}

/// A text that is TOML is the same when it is written again.
void check_toml(std::string_view text) {
    const auto read = parse_toml(text);
    if (!read) {
        check_error(read.error());
        const std::string& message = read.error().message;
        require(message.find_first_not_of("0123456789") == message.find(':'), "it says the line");
        return;
    }
    require(read->value.is_object(), "TOML is a table");
    const auto again = parse_toml(dump_toml(read->value));
    require(again.has_value(), "what is written can be read");
    // As text, because no NaN is like another.
    require(canonical_json(again->value) == canonical_json(read->value), "it reads back");
}

/// One line: "set NAME KEY=VALUE", "new NAME FROM", "use NAME", "remove NAME".
Status change(ConfigFile& file, std::string_view line) {
    const std::string_view verb = fuzz::take_until(line, ' ');
    const std::string name(fuzz::take_until(line, ' '));
    if (verb == "set") {
        const std::string key(fuzz::take_until(line, '='));
        return file.set(name, key, std::string(line));
    }
    if (verb == "new") {
        return file.create(name, std::string(line));
    }
    return verb == "use" ? file.use(name) : file.remove(name);
}

void check_set(const ConfigFile& file, std::string_view line) {
    fuzz::take_until(line, ' ');
    const std::string name(fuzz::take_until(line, ' '));
    const std::string key(fuzz::take_until(line, '='));
    const auto settings = file.settings_of(name);
    require(settings.has_value(), "what was set can be asked for");
    if (line.empty()) {
        require(!settings->contains(key), "nothing takes a setting away");
        return;
    }
    const Json& value = settings->at(key);
    const std::string shown = value.is_string() ? value.get<std::string>() : dump_json(value);
    const bool is_number = key == "timeout_secs" || key == "max_retries";
    require(
        is_number ? std::stoll(shown) == std::stoll(std::string(line)) : shown == line, "as set"
    );
}
}  // namespace

// A configuration file: what is read of it, and what `config` makes of it, line by line of what
// stands behind a NUL. A file that was good is good after every change that was taken.
FUZZ_TARGET(config_file) {
    std::string_view changes = input;
    const std::string_view text = fuzz::take_until(changes, '\0');
    check_toml(text);
    const fuzz::MemoryFile before(text);
    const bool is_good = settings_of(before).has_value();
    auto file = ConfigFile::load(before.path());
    if (!file) {
        check_error(file.error());
        require(!is_good, "what has settings can be changed");
        return;
    }
    bool is_other_profile = false;
    while (!changes.empty()) {
        const std::string_view line = fuzz::take_until(changes, '\n');
        is_other_profile = is_other_profile || line.starts_with("use ");
        const Status changed = change(*file, line);
        if (!changed) {
            check_error(changed.error());
        } else if (line.starts_with("set ")) {
            check_set(*file, line);
        }
    }
    const std::string written = dump_toml(file->root());
    const fuzz::MemoryFile after(written);
    const auto again = ConfigFile::load(after.path());
    require(again.has_value(), "what is saved can be loaded");
    require(canonical_json(again->root()) == canonical_json(file->root()), "as it was saved");
    // A profile that nobody looked at may be wrong.
    require(
        !is_good || is_other_profile || settings_of(after).has_value(), "a change breaks nothing"
    );
}
