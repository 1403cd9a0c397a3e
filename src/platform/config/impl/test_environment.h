#pragma once
#include "platform/config/settings.h"

#include <map>
#include <string>

namespace lab::test {

inline EnvLookup environment(std::map<std::string, std::string> values) {
    return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
        const auto found = values.find(name);
        return found == values.end() ? std::nullopt : std::optional(found->second);
    };
}

}  // namespace lab::test
