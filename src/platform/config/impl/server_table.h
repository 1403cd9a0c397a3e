#pragma once
#include "platform/config/server_settings.h"

#include <span>
#include <variant>

namespace lab::config {

/// The key of a provider: it goes into a map under its own name.
struct ProviderKey {};

template <class T>
using Member = T& (*)(ServerSettings&);

/// Which member of ServerSettings a row fills.
using Target = std::variant<
    ProviderKey,
    Member<std::string>,
    Member<std::int64_t>,
    Member<double>,
    Member<bool>,
    Member<std::chrono::milliseconds>,
    Member<std::vector<std::string>>>;

/// For a text, or each item of a list: what is wrong, or nothing.
using FurtherRule = std::string (*)(std::string_view);

struct Row {
    ServerSettingInfo info;
    Target target;
    FurtherRule rule = nullptr;

    // For writing the table.
    Row&& otherwise(std::string_view text) && {
        info.default_text = text;
        return std::move(*this);
    }
    Row&& between(std::int64_t min, std::int64_t max) && {
        info.min = min;
        info.max = max;
        return std::move(*this);
    }
    Row&& between(std::chrono::milliseconds min, std::chrono::milliseconds max) && {
        return std::move(*this).between(min.count(), max.count());
    }
    Row&& also(std::string_view alias) && {
        info.alias = alias;
        return std::move(*this);
    }
    Row&& secret() && {
        info.secret = true;
        return std::move(*this);
    }
    Row&& live() && {
        info.live = true;
        return std::move(*this);
    }
    Row&& obeys(FurtherRule further) && {
        rule = further;
        return std::move(*this);
    }
    Row&& help(std::string_view text) && {
        info.help = text;
        return std::move(*this);
    }
};

/// All rows, those of a group side by side.
std::span<const Row> server_rows();

inline constexpr std::string_view kFeaturePrefix = "FEATURE_";

}  // namespace lab::config
