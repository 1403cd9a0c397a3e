#pragma once
#include "platform/json/json.h"

#include <nlohmann/json.hpp>

#include <bit>
#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lab::test {

/// Reads ClickHouse's RowBinary as the server does: a row is an object by the names of the columns
/// in the INSERT statement that the bytes went with. Throws where they are no such rows.
class RowBinary {
  public:
    static std::vector<Json> read(std::string_view statement, std::string_view bytes) {
        RowBinary reader(bytes);
        const bool of_events = statement.find("event_type") != statement.npos;
        std::vector<Json> rows;
        while (!reader.rest_.empty()) {
            Json& row = rows.emplace_back(Json::object());
            for (const std::string& name : columns(statement)) {
                row[name] = reader.column(name, of_events);
            }
        }
        return rows;
    }

  private:
    explicit RowBinary(std::string_view bytes) : rest_(bytes) {}

    static std::vector<std::string> columns(std::string_view statement) {
        const std::size_t open = statement.find('(');
        statement = statement.substr(open + 1, statement.find(')') - open - 1);
        std::vector<std::string> names(1);
        for (const char c : statement) {
            if (c == ',') {
                names.emplace_back();
            } else if (c != ' ') {
                names.back() += c;
            }
        }
        return names;
    }

    Json column(const std::string& name, bool of_events) {
        static const std::map<std::string, int> kBytes{
            {"http_status", 2}, {"answered_here", 1}, {"gone", 1}, {"attempts", 4}
        };
        static const std::map<std::string, int> kWhole{
            {"timestamp", 8},
            {"run_at", 8},
            {"sample", 8},
            {"input_tokens", 8},
            {"output_tokens", 8},
            {"latency_ns", 8},
            {"version", 8}
        };
        if (name == "cost_pico" || name == "first_token_ns" || (name == "run_id" && of_events)) {
            if (number(1) != 0) {
                return nullptr;
            }
        }
        if (name.ends_with("_id")) {
            return uuid();
        }
        if (name == "metric_value") {
            return std::bit_cast<double>(number(8));
        }
        if (const auto found = kBytes.find(name); found != kBytes.end()) {
            return static_cast<std::int64_t>(number(found->second));
        }
        if (kWhole.contains(name) || name == "cost_pico" || name == "first_token_ns") {
            return static_cast<std::int64_t>(number(8));
        }
        return text();
    }

    std::uint64_t number(int bytes) {
        std::uint64_t out = 0;
        for (int i = 0; i < bytes; ++i) {
            out |= std::uint64_t{byte()} << (8 * i);
        }
        return out;
    }

    std::string text() {
        std::size_t size = 0;
        std::uint8_t part = 0x80;
        for (int shift = 0; (part & 0x80U) != 0; shift += 7) {
            part = byte();
            size |= std::size_t{part & 0x7fU} << shift;
        }
        if (size > rest_.size()) {
            throw std::runtime_error("a text is longer than the rows");
        }
        std::string out(rest_.substr(0, size));
        rest_.remove_prefix(size);
        return out;
    }

    std::string uuid() {
        std::string out;
        for (int half = 0; half < 2; ++half) {
            const std::uint64_t bits = number(8);
            for (int shift = 60; shift >= 0; shift -= 4) {
                if (out.size() == 8 || out.size() == 13 || out.size() == 18 || out.size() == 23) {
                    out += '-';
                }
                out += "0123456789abcdef"[(bits >> shift) & 15U];
            }
        }
        return out;
    }

    std::uint8_t byte() {
        if (rest_.empty()) {
            throw std::runtime_error("a row ends too soon");
        }
        const auto out = static_cast<std::uint8_t>(rest_.front());
        rest_.remove_prefix(1);
        return out;
    }

    std::string_view rest_;
};

}  // namespace lab::test
