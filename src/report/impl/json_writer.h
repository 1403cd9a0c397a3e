#pragma once
#include "platform/json/json.h"
#include "report/sink.h"

#include <string>
#include <string_view>
#include <vector>

namespace lab::report {

/// Streams JSON: members in the order they are written, doubles as the shortest text that reads
/// back the same, NaN and infinities as null.
class JsonWriter {
  public:
    JsonWriter(Out& out, bool pretty) : out_(out), pretty_(pretty) {}

    void begin_object() { open('{'); }
    void end_object() { close('}'); }
    void begin_array() { open('['); }
    void end_array() { close(']'); }
    void key(std::string_view name);
    void value(std::string_view text);
    void value(const char* text) { value(std::string_view(text)); }
    void value(double number);
    void value(std::int64_t number);
    void value(bool flag);
    void null();
    void value(const Json& tree);

    template <class T>
    void member(std::string_view name, const T& content) {
        key(name);
        value(content);
    }

  private:
    void open(char bracket);
    void close(char bracket);
    void raw(std::string_view text);
    /// Comma, line break and indentation before a value or a key.
    void separate();
    void new_line();

    Out& out_;
    bool pretty_;
    bool after_key_ = false;
    std::vector<bool> filled_;  ///< by depth: something was written in it
};

/// A double as JSON and YAML have it; "null" unless finite.
std::string number_text(double number);

}  // namespace lab::report
