#include "platform/config/toml.h"

#include "base/text.h"

#include <nlohmann/json.hpp>
#include <toml++/toml.h>

#include <sstream>

namespace lab {
namespace {

Mark mark_of(const toml::source_region& region) {
    return {
        .line = static_cast<int>(region.begin.line), .column = static_cast<int>(region.begin.column)
    };
}

template <class T>
std::string text_of(const T& value) {
    std::ostringstream out;
    out << value;
    return out.str();
}

Json json_of(const toml::node& node, const std::string& path, SourceMap& map) {
    map.set(path, mark_of(node.source()), mark_of(node.source()));
    if (const toml::table* table = node.as_table()) {
        Json out = Json::object();
        for (const auto& [key, value] : *table) {
            const std::string name(key.str());
            const std::string below = path_member(path, name);
            out[name] = json_of(value, below, map);
            map.set(below, mark_of(key.source()), mark_of(value.source()));
        }
        return out;
    }
    if (const toml::array* array = node.as_array()) {
        Json out = Json::array();
        for (const toml::node& value : *array) {
            out.push_back(json_of(value, path_index(path, out.size()), map));
        }
        return out;
    }
    if (const auto* value = node.as_string()) {
        return value->get();
    }
    if (const auto* value = node.as_boolean()) {
        return value->get();
    }
    if (const auto* value = node.as_integer()) {
        return value->get();
    }
    if (const auto* value = node.as_floating_point()) {
        return value->get();
    }
    if (const auto* value = node.as_date()) {
        return text_of(value->get());
    }
    if (const auto* value = node.as_time()) {
        return text_of(value->get());
    }
    const auto* value = node.as_date_time();
    return value == nullptr ? Json() : Json(text_of(value->get()));
}

toml::array array_of(const Json& list);

toml::table table_of(const Json& object) {
    toml::table out;
    for (const auto& [name, value] : object.items()) {
        if (value.is_object()) {
            out.insert_or_assign(name, table_of(value));
        } else if (value.is_array()) {
            out.insert_or_assign(name, array_of(value));
        } else if (value.is_boolean()) {
            out.insert_or_assign(name, value.get<bool>());
        } else if (value.is_number_integer()) {
            out.insert_or_assign(name, value.get<std::int64_t>());
        } else if (value.is_number()) {
            out.insert_or_assign(name, value.get<double>());
        } else if (value.is_string()) {
            out.insert_or_assign(name, value.get<std::string>());
        }
    }
    return out;
}

toml::array array_of(const Json& list) {
    toml::array out;
    for (const Json& value : list) {
        if (value.is_object()) {
            out.push_back(table_of(value));
        } else if (value.is_array()) {
            out.push_back(array_of(value));
        } else if (value.is_boolean()) {
            out.push_back(value.get<bool>());
        } else if (value.is_number_integer()) {
            out.push_back(value.get<std::int64_t>());
        } else if (value.is_number()) {
            out.push_back(value.get<double>());
        } else if (value.is_string()) {
            out.push_back(value.get<std::string>());
        }
    }
    return out;
}

}  // namespace

Result<Document> parse_toml(std::string_view text) {
    if (!is_utf8(text)) {
        return Error(Code::bad_request, "1:1: is not UTF-8");
    }
    try {
        const toml::table table = toml::parse(text);
        Document out;
        out.value = json_of(table, "", out.map);
        return out;
    } catch (const toml::parse_error& error) {
        const Mark mark = mark_of(error.source());
        return Error(
            Code::bad_request,
            std::to_string(mark.line) + ":" + std::to_string(mark.column) + ": " +
                shorten(sanitize_utf8(error.description()), 300)
        );
    }
}

std::string dump_toml(const Json& object) {
    std::ostringstream out;
    out << table_of(object) << "\n";
    return out.str();
}

}  // namespace lab
