#include "domain/impl/spec_node.h"

#include "platform/json/document.h"

#include <charconv>
#include <cmath>

namespace lab::domain {
namespace {

std::optional<Seconds> parse_duration(std::string_view text) {
    double seconds = 0;
    bool any = false;
    while (!text.empty()) {
        double amount = 0;
        const auto parsed = std::from_chars(
            text.data(), text.data() + text.size(), amount, std::chars_format::fixed
        );
        if (parsed.ec != std::errc() || !std::isfinite(amount) || amount < 0) {
            return std::nullopt;
        }
        text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
        static constexpr std::pair<std::string_view, double> kUnits[] = {
            {"ms", 0.001}, {"s", 1}, {"m", 60}, {"h", 3600}
        };
        bool known = false;
        for (const auto& [unit, size] : kUnits) {
            if (text.starts_with(unit)) {
                text.remove_prefix(unit.size());
                seconds += amount * size;
                known = true;
                break;
            }
        }
        if (!known) {
            return std::nullopt;
        }
        any = true;
    }
    return any ? std::optional(Seconds(seconds)) : std::nullopt;
}

}  // namespace

SpecNode SpecNode::member(std::string_view key) const {
    const Json* found = nullptr;
    if (is_object()) {
        const auto at = value_->find(key);
        found = at == value_->end() ? nullptr : &*at;
    }
    return {found, path_member(path_, key)};
}

std::vector<SpecNode> SpecNode::entries() const {
    std::vector<SpecNode> out;
    if (is_array()) {
        for (std::size_t i = 0; i < value_->size(); ++i) {
            out.emplace_back(&(*value_)[i], path_index(path_, i));
        }
    }
    return out;
}

std::vector<std::pair<std::string, SpecNode>> SpecNode::members() const {
    std::vector<std::pair<std::string, SpecNode>> out;
    if (is_object()) {
        for (const auto& [key, value] : value_->items()) {
            out.emplace_back(key, SpecNode(&value, path_member(path_, key)));
        }
    }
    return out;
}

std::vector<std::string> SpecNode::texts() const {
    if (is_text()) {
        return {text()};
    }
    std::vector<std::string> out;
    for (const SpecNode& entry : entries()) {
        out.push_back(entry.text());
    }
    return out;
}

std::string SpecNode::text(std::string_view fallback) const {
    return is_text() ? value_->get<std::string>() : std::string(fallback);
}

bool SpecNode::flag(bool fallback) const {
    return given() && value_->is_boolean() ? value_->get<bool>() : fallback;
}

std::optional<double> SpecNode::number() const {
    return given() && value_->is_number() ? std::optional(value_->get<double>()) : std::nullopt;
}

std::optional<std::int64_t> SpecNode::whole() const {
    const std::optional<double> rough = number();
    if (!rough || !(std::abs(*rough) < 0x1p63)) {
        return std::nullopt;
    }
    return value_->get<std::int64_t>();
}

std::uint64_t SpecNode::seed() const {
    const std::optional<double> rough = number();
    if (!rough || !(*rough >= 0)) {
        return 0;
    }
    // As a double, the largest seeds round up to 2^64.
    return value_->is_number_float() && !(*rough < 0x1p64) ? 0 : value_->get<std::uint64_t>();
}

std::optional<Money> SpecNode::money() const {
    std::string decimal;
    if (is_text()) {
        decimal = text();
    } else if (given() && value_->is_number_float()) {
        char buffer[512];
        const auto end = std::to_chars(
            buffer, buffer + sizeof buffer, value_->get<double>(), std::chars_format::fixed
        );
        decimal.assign(buffer, end.ptr);
    } else if (given() && value_->is_number()) {
        decimal = dump_json(*value_);
    } else {
        return std::nullopt;
    }
    auto parsed = Money::parse(decimal);
    return parsed ? std::optional(*parsed) : std::nullopt;
}

std::optional<Seconds> SpecNode::duration() const {
    if (is_text()) {
        return parse_duration(text());
    }
    const std::optional<double> seconds = number();
    return seconds ? std::optional(Seconds(*seconds)) : std::nullopt;
}

Json SpecNode::object() const { return is_object() ? *value_ : Json::object(); }

const Json& SpecNode::json() const {
    static const Json kNone;
    return given() ? *value_ : kNone;
}

}  // namespace lab::domain
