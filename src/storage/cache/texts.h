#pragma once
#include <optional>
#include <string>

namespace lab::storage {

/// Texts that are dear to make, by name, for all processes; may be lost at any time. Any thread.
class Texts {
  public:
    virtual ~Texts() = default;
    /// nullopt: not there, or nobody can be asked.
    virtual std::optional<std::string> find(const std::string& name) = 0;
    virtual void put(const std::string& name, const std::string& text) = 0;
    /// None of those that are there now is found again.
    virtual void clear() = 0;
};

}  // namespace lab::storage
