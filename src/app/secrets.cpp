#include "app/secrets.h"

#include "app/wire.h"
#include "base/text.h"
#include "platform/http/url_guard.h"

#include <cstdio>

namespace lab::app {
namespace {

/// All of a start, however many secrets it needs and however they fail.
constexpr Duration kStartMax = std::chrono::seconds(20);
constexpr Duration kFollowMax = std::chrono::seconds(5);
/// After a failure, so that a service that is away is not asked by every run.
constexpr Duration kPause = std::chrono::seconds(5);
constexpr Duration kIntervalUsual = std::chrono::minutes(5);
constexpr std::size_t kFollowedMax = 1024;

std::string first_of(const EnvLookup& environment, std::initializer_list<const char*> names) {
    for (const char* name : names) {
        if (std::string text = std::string(trim_ascii(environment(name).value_or("")));
            !text.empty()) {
            return text;
        }
    }
    return "";
}

}  // namespace

struct Secrets::Service {
    Service(const Clock& clock, const EnvLookup& environment, aws::SecretsManagerOptions options)
        : http(clock, {.user_agent = "llm-research/" + std::string(version())}, 4),
          credentials(
              clock,
              http,
              {.region = options.region,
               .environment = environment,
               .home_folder = environment("HOME").value_or("")}
          ),
          patient(options, clock, http, credentials, entropy()),
          quick(once(options), clock, http, credentials, entropy()) {}

    static aws::SecretsManagerOptions once(aws::SecretsManagerOptions options) {
        options.attempts_max = 2;
        return options;
    }

    http::BlockingClient http;
    aws::CredentialChain credentials;
    aws::SecretsManager patient;
    aws::SecretsManager quick;
};

Secrets::Secrets(EnvLookup environment)
    : environment_(std::move(environment)),
      interval_(kIntervalUsual.count()),
      named_(
          environment_,
          [this](const Ctx& ctx, const std::string& id, SecretStage stage) {
              return ask(ctx, id, stage);
          },
          clock_
      ) {}

Result<Secrets::Service*> Secrets::service() {
    const std::scoped_lock lock(making_);
    if (!service_) {
        aws::SecretsManagerOptions options;
        const std::string region =
            first_of(environment_, {"AWS_REGION", "AWS_DEFAULT_REGION", "S3_REGION"});
        options.region = region.empty() ? options.region : region;
        options.endpoint =
            first_of(environment_, {"AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL"});
        if (!options.endpoint.empty() && !http::parse_outbound_url(options.endpoint)) {
            return Error(
                Code::validation,
                "AWS_ENDPOINT_URL_SECRETS_MANAGER has to be an address: https://HOST[:PORT]"
            );
        }
        service_ = std::make_shared<Service>(clock_, environment_, std::move(options));
    }
    return service_.get();
}

Result<SecretText> Secrets::ask(const Ctx& ctx, const std::string& id, SecretStage stage) {
    if (paused_) {
        return Error(Code::unavailable, "an operator opened the breaker of the secrets service");
    }
    LAB_TRY(Service* const service, this->service());
    aws::SecretsManager& manager = patient_ ? service->patient : service->quick;
    LAB_TRY(
        aws::Secret secret,
        manager.get(ctx, id, stage == SecretStage::current ? "AWSCURRENT" : "AWSPREVIOUS")
    );
    return SecretText{std::move(secret.text), std::move(secret.version), secret.made_at};
}

Result<std::string> Secrets::follow(std::string_view reference) {
    {
        const std::scoped_lock lock(mutex_);
        const auto kept = followed_.find(reference);
        if (kept != followed_.end() && clock_.now() < kept->second.ask_at) {
            return kept->second.text;
        }
    }
    LAB_TRY(const SecretName name, parse_secret_name(reference.substr(kSecretScheme.size())));
    const Ctx ctx = Ctx(clock_).within(patient_ ? kStartMax : kFollowMax);
    const auto secret = ask(ctx, name.id, SecretStage::current);
    const std::scoped_lock lock(mutex_);
    if (!secret) {
        const auto kept = followed_.find(reference);
        if (kept == followed_.end() || secret.error().code != Code::unavailable) {
            return secret.error();
        }
        kept->second.ask_at = clock_.now() + kPause;
        return kept->second.text;
    }
    LAB_TRY(std::string text, pick_member(name, secret->text));
    if (followed_.size() >= kFollowedMax) {
        followed_.clear();
    }
    followed_.insert_or_assign(
        std::string(reference), Followed{text, clock_.now() + Duration(interval_.load())}
    );
    return text;
}

Result<Configuration> read_configuration(const EnvLookup& environment) {
    auto secrets = std::make_shared<Secrets>(environment);
    const SystemClock clock;
    LAB_CHECK(secrets->named().open(Ctx(clock).within(kStartMax)));
    LAB_TRY(
        ServerSettings settings,
        load_server_settings(secrets->named().environment(), process_environment_names())
    );
    secrets->named().explain(settings);
    const Duration interval = settings.secrets.refresh_interval;
    secrets->set_interval(interval);
    // Others ask a whole interval later at the latest, and that takes them a moment.
    secrets->named().set_settle(interval + interval / 2);
    return Configuration{std::move(settings), std::move(secrets)};
}

EnvLookup with_secrets(EnvLookup environment) {
    struct State {
        std::mutex mutex;
        std::unique_ptr<Secrets> secrets;
        std::map<std::string, std::optional<std::string>> known;
    };
    return
        [environment = std::move(environment),
         state = std::make_shared<State>()](const std::string& name) -> std::optional<std::string> {
            auto text = environment(name);
            if (!text || !text->starts_with(kSecretScheme)) {
                return text;
            }
            const std::scoped_lock lock(state->mutex);
            const auto known = state->known.find(name);
            if (known != state->known.end()) {
                return known->second;
            }
            if (!state->secrets) {
                state->secrets = std::make_unique<Secrets>(environment);
            }
            auto secret = state->secrets->follow(trim_ascii(*text));
            if (!secret) {
                std::fprintf(
                    stderr, "llm-research: %s: %s\n", name.c_str(), secret.error().message.c_str()
                );
            }
            return state->known[name] =
                       secret ? std::optional(*std::move(secret)) : std::optional<std::string>();
        };
}

Result<std::string> plain_setting(
    const EnvLookup& environment, const std::string& setting, const std::string& text
) {
    if (!text.starts_with(kSecretScheme)) {
        return text;
    }
    Secrets secrets(environment);
    auto secret = secrets.follow(trim_ascii(text));
    if (!secret) {
        Error error = std::move(secret).error();
        error.message = setting + ": " + error.message;
        return error;
    }
    return *std::move(secret);
}

}  // namespace lab::app
