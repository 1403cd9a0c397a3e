#pragma once
#include <string>
#include <string_view>

namespace lab::storage {

/// What has changed in the store, so that other processes look at it at once and not when they
/// would have anyway. May be lost: nobody may rely on one. Says what, never how it is now.
struct Signal {
    enum class What : std::uint8_t {
        user,      ///< rights or activity of a user; `about`: the user's id
        key,       ///< of an API key; its id
        login,     ///< a login has ended; its family
        switches,  ///< an operator's: breakers, maintenance
        cache,     ///< what is kept for speed is to be forgotten
    };
    What what = What::switches;
    std::string about;
};

class Signals {
  public:
    virtual ~Signals() = default;
    /// Never waits, never fails. Any thread.
    virtual void send(const Signal& signal) = 0;
};

}  // namespace lab::storage
