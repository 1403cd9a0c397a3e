#include "providers/impl/json_pull.h"
#include "providers/impl/reader.h"
#include "providers/impl/replay_index.h"

#include <charconv>

namespace lab::providers {
namespace {

/// Whether `path` is `key` or goes on inside it; `rest` is what is left of the path.
bool leads_into(std::string_view path, std::string_view key, std::string_view& rest) {
    if (path == key) {
        rest = {};
        return true;
    }
    if (path.size() > key.size() && path.starts_with(key) && path[key.size()] == '.') {
        rest = path.substr(key.size() + 1);
        return true;
    }
    return false;
}

/// The value at `path` as text: strings as they are, other scalars and structures as written;
/// nullopt when there is none (`exists` stays false) or it is null.
std::optional<std::string> text_at(JsonPull& in, std::string_view path, bool& exists) {
    if (path.empty()) {
        exists = true;
        switch (in.peek()) {
            case JsonPull::Kind::object:
            case JsonPull::Kind::array:
                return std::string(in.raw());
            default:
                return in.scalar_text();
        }
    }
    std::optional<std::string> found;
    std::string_view rest;
    if (in.peek() == JsonPull::Kind::array) {
        const std::string_view digits = path.substr(0, path.find('.'));
        std::size_t wanted = 0;
        const char* const end = digits.data() + digits.size();
        const auto read = std::from_chars(digits.data(), end, wanted);
        const bool number = read.ec == std::errc() && read.ptr == end;
        std::size_t i = 0;
        in.array([&] {
            if (number && i++ == wanted && leads_into(path, digits, rest)) {
                found = text_at(in, rest, exists);
            }
        });
        return found;
    }
    in.object([&](std::string_view key) {
        if (!exists && leads_into(path, key, rest)) {
            found = text_at(in, rest, exists);
        }
    });
    return found;
}

domain::Usage read_usage(JsonPull& in) {
    domain::Usage usage;
    in.object([&](std::string_view key) {
        std::int64_t* const bucket = key == "input"         ? &usage.input
                                     : key == "cache_read"  ? &usage.cache_read
                                     : key == "cache_write" ? &usage.cache_write
                                     : key == "output"      ? &usage.output
                                     : key == "reasoning"   ? &usage.reasoning
                                                            : nullptr;
        if (bucket != nullptr) {
            *bucket = std::max<std::int64_t>(0, in.integer().value_or(0));
        }
    });
    return usage;
}

}  // namespace

std::optional<ReplayRow> read_replay_row(
    std::string_view line, std::string_view id_field, std::string_view output_field
) {
    ReplayRow row;
    JsonPull in(line);
    std::string_view rest;
    const bool object = in.object([&](std::string_view key) {
        const bool has_id = leads_into(id_field, key, rest);
        const bool has_output = leads_into(output_field, key, rest);
        if (has_id || has_output) {
            const std::string_view value = in.raw();
            if (has_id && !row.id && leads_into(id_field, key, rest)) {
                JsonPull inside(value);
                bool unused = false;
                row.id = text_at(inside, rest, unused);
            }
            if (has_output && !row.has_output && leads_into(output_field, key, rest)) {
                JsonPull inside(value);
                row.output = text_at(inside, rest, row.has_output);
            }
        } else if (key == "finish_reason") {
            const auto reason = in.string();
            row.finish_reason = reason ? normalise_finish_reason(*reason) : "stop";
        } else if (key == "usage" && in.peek() == JsonPull::Kind::object) {
            row.usage = read_usage(in);
        } else if (key == "latency_ms") {
            const auto ms = in.number();
            if (ms && *ms >= 0 && *ms < 1e9) {
                row.latency = Duration(static_cast<std::int64_t>(*ms * 1e6));
            }
        }
    });
    return object && in.finish() ? std::optional(std::move(row)) : std::nullopt;
}

}  // namespace lab::providers
