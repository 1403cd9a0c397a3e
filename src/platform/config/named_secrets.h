#pragma once
#include "base/ctx.h"
#include "platform/config/server_settings.h"

#include <mutex>

namespace lab {

/// A secret that is kept elsewhere: its name or ARN, and which member of it when it is a JSON
/// object.
struct SecretName {
    std::string id;
    std::string member = {};  ///< empty: the whole
    bool operator==(const SecretName&) const = default;
};

/// How a value says that it is a name: "aws-sm://NAME-or-ARN", "#MEMBER" behind it.
inline constexpr std::string_view kSecretScheme = "aws-sm://";
/// What follows that scheme, or an ARN. Errors: validation, without the text.
Result<SecretName> parse_secret_name(std::string_view text);

enum class SecretStage : std::uint8_t { current, previous };

/// What a service of secrets answers.
struct SecretText {
    std::string text;
    std::string version = {};
    std::optional<WallTime> made_at = {};
};
/// Errors: not_found; others when the service cannot be used. No message holds a secret.
using SecretSource =
    std::function<Result<SecretText>(const Ctx& ctx, const std::string& id, SecretStage stage)>;

/// The text of `name` in what the source gave: all of it, or that member of the JSON object, which
/// has to be a text or a number. Errors: validation, without the secret.
Result<std::string> pick_member(const SecretName& name, std::string_view secret);

/// A secret that changes while many processes share it.
struct SecretPair {
    std::string used;   ///< to sign or to write with
    std::string other;  ///< is still, or already, accepted; empty: none
    bool operator==(const SecretPair&) const = default;
};

/// Secrets of the settings that stand in a service: JWT_SECRET_ARN and API_KEY_SECRET_ARN where the
/// setting itself is not given, and every secret setting whose value is "aws-sm://...". Any thread.
///
/// A secret that was rotated is accepted at once and used `settle` later: by then every process has
/// asked for it, however they take turns. What was used before stays accepted until the next
/// change.
class NamedSecrets {
  public:
    /// `clock` outlives it.
    NamedSecrets(EnvLookup environment, SecretSource source, const Clock& clock);

    /// Fetches everything that is named; nothing is asked when nothing is. Errors: those of the
    /// source and of the names, with the setting in front.
    Status open(const Ctx& ctx);
    bool empty() const { return named_.empty(); }

    /// The environment with values in the places of names. It lives as long as this.
    EnvLookup environment() const;
    /// Says in the rows where the values came from.
    void explain(ServerSettings& settings) const;

    /// What a refresh found.
    struct Changes {
        std::vector<std::string> keys;  ///< settings whose value is another now
        std::vector<Detail> problems;   ///< settings that keep their last good value, and why
    };
    /// Asks again for everything. A value that its setting cannot have is not taken.
    Changes refresh(const Ctx& ctx, Duration settle);

    /// nullopt: the setting is not kept in a service.
    std::optional<std::string> value(const std::string& key) const;
    /// How JWT_SECRET and API_KEY_SECRET are to be used at this moment.
    std::optional<SecretPair> pair(const std::string& key) const;
    /// Of a pair whose secret was made shortly before this process began, `settle` counts from
    /// there. Once, after open().
    void set_settle(Duration settle);

  private:
    struct Named {
        std::string key;    ///< the setting that gets the value
        std::string given;  ///< the variable that names it
        SecretName name;
        bool is_pair = false;
        std::string value;
        std::string previous = {};
        std::optional<WallTime> made_at = {};
        TimePoint use_at = TimePoint::min();
    };
    /// One answer for each id, however many settings share it.
    using Answers = std::map<std::string, Result<SecretText>>;
    Status find_names();
    Result<Named> fetch(const Ctx& ctx, Named named, Answers& answers) const;
    Result<SecretText> ask(const Ctx& ctx, const std::string& id, Answers& answers) const;
    Changes take(std::vector<Named> fresh, std::vector<Detail> problems, Duration settle);
    const Named* find(const std::string& key) const;

    const EnvLookup environment_;
    const SecretSource source_;
    const Clock& clock_;
    mutable std::mutex mutex_;  ///< guards the values of named_, which are the same ones always
    std::vector<Named> named_;
};

}  // namespace lab
