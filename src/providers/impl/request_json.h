#pragma once
#include "platform/json/json.h"

#include <string>
#include <string_view>

namespace lab::providers {

/// Builds the text of one JSON object member by member: bodies of requests need no tree.
class ObjectWriter {
  public:
    explicit ObjectWriter(std::string& out) : out_(out) { out_ += '{'; }
    ~ObjectWriter() { out_ += '}'; }
    ObjectWriter(const ObjectWriter&) = delete;
    ObjectWriter& operator=(const ObjectWriter&) = delete;

    /// The name of the next member; its value is appended to out() by the caller.
    std::string& key(std::string_view name) {
        if (!first_) {
            out_ += ',';
        }
        first_ = false;
        append_json_string(out_, name);
        out_ += ':';
        return out_;
    }
    void text(std::string_view name, std::string_view value) {
        append_json_string(key(name), value);
    }
    void raw(std::string_view name, std::string_view json) { key(name) += json; }
    void value(std::string_view name, const Json& json) { key(name) += dump_json(json); }

  private:
    std::string& out_;
    bool first_ = true;
};

}  // namespace lab::providers
