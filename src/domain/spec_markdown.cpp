#include "base/text.h"
#include "domain/spec_parse.h"

#include <set>

namespace lab::domain {
namespace {

const Json* find(const Json& object, std::string_view key) {
    const auto at = object.is_object() ? object.find(key) : object.end();
    return at == object.end() ? nullptr : &*at;
}

std::string code(const Json& value) {
    return "`" + (value.is_string() ? value.get<std::string>() : dump_json(value)) + "`";
}

std::string default_text(const Json& value) {
    // A line break as it would be written in quotes.
    return value.is_string() && value.get_ref<const std::string&>().find('\n') != std::string::npos
               ? "`" + dump_json(value) + "`"
               : code(value);
}

/// A cell of a table: no bar may end it.
std::string cell(std::string text) {
    std::string out;
    for (const char c : text) {
        out += c == '|' ? "\\|" : std::string(1, c);
    }
    return out;
}

class Writer {
  public:
    explicit Writer(const Json& root) : root_(root) {}

    std::string run() {
        section("", root_);
        return std::move(out_);
    }
    std::string run_table() {
        const Json* properties = find(root_, "properties");
        if (properties != nullptr && !properties->empty()) {
            table(root_, *properties);
        }
        return std::move(out_);
    }

  private:
    const Json& resolved(const Json& schema) const {
        const Json* ref = find(schema, "$ref");
        if (ref == nullptr) {
            return schema;
        }
        const std::string name =
            ref->get<std::string>().substr(std::string_view("#/$defs/").size());
        const Json* defs = find(root_, "$defs");
        const Json* target = defs == nullptr ? nullptr : find(*defs, name);
        LAB_ASSERT(target != nullptr, "a $ref has its definition");
        return *target;
    }

    static std::string bounds(const Json& schema) {
        const auto bound = [&](std::string_view key, std::string_view sign) -> std::string {
            const Json* value = find(schema, key);
            // A bound that nobody will meet would only be noise.
            const bool absent = value == nullptr || value->get<double>() > 1e9;
            return absent ? "" : std::string(sign) + dump_json(*value);
        };
        std::string out = bound("minimum", ">= ") + bound("exclusiveMinimum", "> ");
        const std::string upper = bound("maximum", "<= ") + bound("exclusiveMaximum", "< ");
        out += (out.empty() || upper.empty() ? "" : ", ") + upper;
        return out.empty() ? "" : " " + out;
    }

    std::string kind(const Json& given) const {
        const Json& schema = resolved(given);
        if (const Json* branches = find(schema, "anyOf")) {
            return any_of(*branches);
        }
        if (const Json* branches = find(schema, "oneOf")) {
            return any_of(*branches);
        }
        if (const Json* only = find(schema, "const")) {
            return code(*only);
        }
        if (const Json* words = find(schema, "enum")) {
            std::vector<std::string> shown;
            for (const Json& word : *words) {
                shown.push_back(code(word));
            }
            return join(shown, ", ");
        }
        const Json* type = find(schema, "type");
        if (type != nullptr && type->is_array()) {
            std::vector<std::string> kinds;
            for (const Json& one : *type) {
                kinds.push_back(kind({{"type", one}}));
            }
            return join(kinds, " or ");
        }
        const std::string name =
            type != nullptr && type->is_string() ? type->get<std::string>() : "";
        if (name == "array") {
            const Json* items = find(schema, "items");
            return "list" + (items == nullptr ? "" : " of " + kind(*items));
        }
        if (name == "object") {
            return "mapping";
        }
        static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
            {"string", "text"},
            {"integer", "whole number"},
            {"number", "number"},
            {"boolean", "true or false"},
            {"null", "nothing"},
        };
        for (const auto& [theirs, ours] : kWords) {
            if (name == theirs) {
                return std::string(ours) + bounds(schema);
            }
        }
        return "anything";
    }
    std::string any_of(const Json& branches) const {
        std::vector<std::string> kinds;
        for (const Json& branch : branches) {
            std::string words = kind(branch);
            if (std::ranges::find(kinds, words) == kinds.end()) {
                kinds.push_back(std::move(words));
            }
        }
        return join(kinds, " or ");
    }

    void section(const std::string& path, const Json& schema) {
        const Json* properties = find(schema, "properties");
        if (properties == nullptr || !done_.insert(path).second) {
            return;
        }
        out_ += path.empty() ? "### The file\n\n" : "### `" + path + "`\n\n";
        if (const Json* description = find(schema, "description")) {
            out_ += description->get<std::string>() + "\n\n";
        }
        table(schema, *properties);
        for (const auto& [name, property] : properties->items()) {
            below(path.empty() ? name : path + "." + name, property);
        }
    }
    void table(const Json& schema, const Json& properties) {
        std::set<std::string> required;
        if (const Json* names = find(schema, "required")) {
            for (const Json& name : *names) {
                required.insert(name.get<std::string>());
            }
        }
        out_ += "| key | value | default | meaning |\n|---|---|---|---|\n";
        for (const auto& [name, property] : properties.items()) {
            row(name, property, required.contains(name));
        }
        out_ += '\n';
    }
    void row(const std::string& name, const Json& given, bool required) {
        const Json& schema = resolved(given);
        const Json* description = find(given, "description");
        description = description == nullptr ? find(schema, "description") : description;
        const Json* fallback = find(given, "default");
        const std::string otherwise = required              ? "required"
                                      : fallback == nullptr ? ""
                                                            : default_text(*fallback);
        out_ += "| `" + name + "` | " + cell(kind(given)) + " | " + cell(otherwise) + " | " +
                cell(description == nullptr ? "" : description->get<std::string>()) + " |\n";
    }
    /// Sections of the mappings inside a value.
    void below(const std::string& path, const Json& given) {
        const Json& schema = resolved(given);
        section(path, schema);
        if (const Json* items = find(schema, "items")) {
            below(path + "[]", *items);
        }
        for (const char* keyword : {"anyOf", "oneOf"}) {
            if (const Json* branches = find(schema, keyword)) {
                for (const Json& branch : *branches) {
                    below(path, branch);
                }
            }
        }
    }

    const Json& root_;
    std::string out_;
    std::set<std::string> done_;
};

}  // namespace

std::string schema_markdown(const Json& schema) { return Writer(schema).run(); }

std::string schema_table(const Json& schema) { return Writer(schema).run_table(); }

}  // namespace lab::domain
