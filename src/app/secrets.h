#pragma once
#include "platform/aws/secrets_manager.h"
#include "platform/config/named_secrets.h"

#include <atomic>
#include <memory>

namespace lab::app {

/// AWS Secrets Manager as the environment says where it is, and the settings that are kept in it.
/// Nothing is asked before something is named. Any thread.
class Secrets {
  public:
    /// `environment`: of the process.
    explicit Secrets(EnvLookup environment);
    Secrets(const Secrets&) = delete;
    Secrets& operator=(const Secrets&) = delete;

    /// The secrets that settings name.
    NamedSecrets& named() { return named_; }
    /// What "aws-sm://NAME-or-ARN[#MEMBER]" stands for, where it is not the value of a setting;
    /// kept for as long as `set_interval` said, and when the service is away the last good one
    /// after that. Errors: those of aws::SecretsManager::get; validation.
    Result<std::string> follow(std::string_view reference);
    void set_interval(Duration interval) { interval_ = interval.count(); }
    /// An operator opened the breaker `secrets`: nobody is asked.
    void set_paused(bool paused) { paused_ = paused; }
    bool is_paused() const { return paused_; }
    /// How often a call is tried from here on: at start-up people wait, later on nobody does.
    void serve() { patient_ = false; }

  private:
    struct Service;
    struct Followed {
        std::string text;
        TimePoint ask_at;
    };
    Result<SecretText> ask(const Ctx& ctx, const std::string& id, SecretStage stage);
    Result<Service*> service();

    SystemClock clock_;
    const EnvLookup environment_;
    std::atomic<bool> paused_ = false;
    std::atomic<bool> patient_ = true;
    std::atomic<Duration::rep> interval_;
    std::mutex making_;
    std::shared_ptr<Service> service_;
    std::mutex mutex_;  ///< guards followed_
    std::map<std::string, Followed, std::less<>> followed_;
    NamedSecrets named_;
};

/// The settings of the server, and where those came from that are kept elsewhere.
struct Configuration {
    ServerSettings settings;
    std::shared_ptr<Secrets> secrets;
};

/// Reads the settings, secrets that are named by them included. Errors: those of
/// load_server_settings; those of secrets, with the setting in front.
Result<Configuration> read_configuration(const EnvLookup& environment);

/// `environment`, where a value that names a secret is that secret; one that cannot be had is not
/// there, and the reason is on stderr once.
EnvLookup with_secrets(EnvLookup environment);

/// The text itself, or the secret that it names. Errors: as Secrets::follow, with `setting` in
/// front.
Result<std::string> plain_setting(
    const EnvLookup& environment, const std::string& setting, const std::string& text
);

}  // namespace lab::app
