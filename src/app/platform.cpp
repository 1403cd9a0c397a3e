#include "app/platform.h"

#include "app/object_store.h"
#include "base/text.h"
#include "service/models.h"
#include "storage/objects/file_error.h"
#include "storage/store/observed.h"
#include "storage/store/postgres.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <tuple>

namespace lab::app {
namespace {

namespace fs = std::filesystem;

constexpr int kSecretBits = 256;
constexpr std::int64_t kSessionsMax = 16;
constexpr std::int64_t kConnectionsMax = 1'000;  ///< of a pod to PostgreSQL
constexpr Duration kSessionWait = std::chrono::seconds(3);

class ProgramParts final : public service::RunnerParts {
  public:
    explicit ProgramParts(std::unique_ptr<Program> program) : program_(std::move(program)) {}
    service::Deps& deps() override { return program_->deps(); }

  private:
    std::unique_ptr<Program> program_;
};

/// The secret in a file that only its owner may read; made when it is not there.
Result<std::string> secret_file(const std::string& path, RandomSource& random) {
    const int made = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (made >= 0) {
        const std::string secret = random_base62(random, kSecretBits);
        const bool written =
            ::write(made, secret.data(), secret.size()) == static_cast<ssize_t>(secret.size()) &&
            ::fsync(made) == 0;
        ::close(made);
        if (!written) {
            ::unlink(path.c_str());
            return storage::file_error("write", path, errno);
        }
        return secret;
    }
    if (errno != EEXIST) {
        return storage::file_error("write", path, errno);
    }
    std::error_code code;
    if ((fs::status(path, code).permissions() & (fs::perms::group_all | fs::perms::others_all)) !=
        fs::perms::none) {
        return Error(
            Code::validation,
            path +
                " may be read by others: chmod 600 it, or remove it and all "
                "tokens that were made with it"
        );
    }
    std::ifstream file(path, std::ios::binary);
    std::string secret((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    secret = trim(secret);
    if (secret.size() < 32) {
        return Error(Code::validation, path + " holds no secret: remove it");
    }
    return secret;
}

Result<std::string> read_key_file(const std::string& path) {
    if (path.empty()) {
        return std::string();
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return Error(Code::validation, "cannot read the key file " + path);
    }
    return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

JwtAlgorithm algorithm_of(const std::string& name) {
    return name == "RS256"   ? JwtAlgorithm::rs256
           : name == "ES256" ? JwtAlgorithm::es256
                             : JwtAlgorithm::hs256;
}

std::string host_name() {
    std::array<char, 65> name{};
    return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

struct Platform::Parts {
    Settings settings;
    ServerSettings server;
    Observers observers;
    std::shared_ptr<Secrets> secrets;
    EnvLookup env;  ///< what models may see
    std::unique_ptr<OutboundRules> outbound;
    SystemClock clock;
    SystemRandom random;
    RandomUuids uuids;
    std::shared_ptr<storage::ObjectStore> objects;
    std::unique_ptr<Program> program;
    storage::Database* database = nullptr;
    std::unique_ptr<storage::SessionPool> sessions;
    std::unique_ptr<storage::Database> copy;  ///< DATABASE_READ_URL
    std::unique_ptr<storage::SessionPool> copies;
    std::unique_ptr<service::Identity> identity;
    std::unique_ptr<SigningKeys> signing;
    SecretPair tokens;  ///< JWT_SECRET, also where tokens are signed by a private key
    JwtConfig jwt;      ///< as it counts now; with the two below of who takes secrets
    SecretPair peppers;
    std::string admin_key;

    /// Processes on one store have one, also where tokens are signed by a private key and none was
    /// given: what one signs, another takes.
    Result<std::string> token_secret(const Ctx& ctx, storage::Session& session) {
        if (server.embedded() && server.auth.jwt_secret.empty()) {
            return secret_file((fs::path(settings.home) / "jwt.secret").string(), random);
        }
        return service::load_secret(ctx, session, random, "token_secret", server.auth.jwt_secret);
    }

    /// A session beside those of requests, which may all be taken.
    template <class Use>
    Status with_session(const Use& use) {
        const Ctx ctx = Ctx(clock).within(kSessionWait);
        LAB_TRY(const auto session, database->open_session(ctx));
        return use(ctx, *session);
    }

    /// Of a credential, by the name it has where experiment files name a variable.
    std::optional<std::string> secret_of(const std::string& variable) {
        std::optional<std::string> out;
        const Status found = with_session([&](const Ctx& ctx, storage::Session& session) -> Status {
            LAB_TRY(out, service::secret_of_variable(ctx, *outbound, session, variable));
            return ok();
        });
        return found ? out : std::nullopt;
    }

    Status check_way_out(const domain::ModelSpec& model) {
        if (model.api_key_env.empty() && model.base_url.empty()) {
            return ok();  // the provider's own server, or recorded outputs
        }
        return with_session([&](const Ctx& ctx, storage::Session& session) {
            return service::check_credential_of_run(ctx, *outbound, session, model);
        });
    }

    /// A file has one writer, and nothing to keep warm.
    std::size_t sessions_max(const DatabaseSettings& wanted) const {
        const std::int64_t most = server.embedded() ? kSessionsMax : kConnectionsMax;
        const auto max = std::clamp<std::int64_t>(wanted.connections_max, 1, most);
        return static_cast<std::size_t>(max);
    }

    Status open_store(const Ctx& ctx) {
        LAB_TRY(database, program->deps().database(ctx));
        const auto max = static_cast<std::int64_t>(sessions_max(server.database));
        const auto min = server.embedded()
                             ? 0
                             : std::clamp<std::int64_t>(server.database.connections_min, 0, max);
        const auto seed = static_cast<std::uint64_t>(clock.now().time_since_epoch().count());
        sessions = std::make_unique<storage::SessionPool>(
            *database,
            storage::SessionPoolOptions{
                .max = static_cast<std::size_t>(max),
                .min = static_cast<std::size_t>(min),
                .wait_max = kSessionWait,
                .seed = seed,
            }
        );
        if (!server.database.read_url.empty()) {
            LAB_CHECK(open_copy(static_cast<std::size_t>(max), seed));
        }
        return sessions->tend(ctx);
    }

    /// What is kept in the secrets service as it is used at this moment.
    void look_up_secrets() {
        const AuthSettings& auth = server.auth;
        if (const auto pair = secrets->named().pair("JWT_SECRET")) {
            tokens.used = pair->used;
            tokens.other = pair->other.empty() ? auth.jwt_secret_previous : pair->other;
        }
        if (jwt.algorithm == JwtAlgorithm::hs256) {
            jwt.secret = tokens.used;
            jwt.secret_previous = tokens.other;
        }
        if (const auto pair = secrets->named().pair("API_KEY_SECRET")) {
            peppers = *pair;
        }
        admin_key = secrets->named().value("ADMIN_KEY").value_or(auth.admin_key);
    }

    /// Connected when first asked: it may be away.
    Status open_copy(std::size_t max, std::uint64_t seed) {
        LAB_TRY(
            copy,
            storage::open_postgres({
                .url = server.database.read_url,
                .is_copy = true,
                .application_name = "llm-research " + host_name(),
            })
        );
        if (observers.statements != nullptr) {
            copy = storage::observe_database(std::move(copy), clock, *observers.statements);
        }
        copies = std::make_unique<storage::SessionPool>(
            *copy, storage::SessionPoolOptions{.max = max, .wait_max = kSessionWait, .seed = seed}
        );
        return ok();
    }

    Status open_identity(const Ctx& ctx) {
        const AuthSettings& auth = server.auth;
        jwt.algorithm = algorithm_of(auth.jwt_algorithm);
        jwt.issuer = auth.jwt_issuer;
        jwt.audience = auth.jwt_audience;
        LAB_TRY(const auto session, sessions->acquire(ctx));
        LAB_TRY(tokens.used, token_secret(ctx, *session));
        tokens.other = auth.jwt_secret_previous;
        if (jwt.algorithm != JwtAlgorithm::hs256) {
            LAB_TRY(jwt.private_key_pem, read_key_file(auth.jwt_private_key_file));
            LAB_TRY(jwt.public_key_pem, read_key_file(auth.jwt_public_key_file));
            LAB_TRY(jwt.public_key_previous_pem, read_key_file(auth.jwt_public_key_previous_file));
        }
        LAB_TRY(
            peppers.used,
            service::load_secret(ctx, *session, random, "api_key_pepper", auth.api_key_secret)
        );
        look_up_secrets();
        signing = std::make_unique<SigningKeys>(tokens.used, tokens.other);
        LAB_TRY(auto signer, Jwt::create(jwt, clock));
        LAB_TRY(auto hasher, PasswordHasher::create());
        using std::chrono::duration_cast;
        using std::chrono::seconds;
        service::IdentityConfig config{
            .jwt = std::move(signer),
            .hasher = std::move(hasher),
            .pepper = peppers.used,
            .pepper_previous = peppers.other,
            .admin_key = admin_key,
            .access_life = duration_cast<seconds>(auth.access_lifetime),
            .refresh_life = duration_cast<seconds>(auth.refresh_lifetime),
        };
        LAB_TRY(identity, service::Identity::create(std::move(config), clock, random, uuids));
        return ok();
    }

    Result<bool> take_secrets() {
        const auto before = std::tuple(tokens, peppers, admin_key);
        look_up_secrets();
        if (before == std::tie(tokens, peppers, admin_key)) {
            return false;
        }
        LAB_TRY(auto signer, Jwt::create(jwt, clock));
        LAB_CHECK(identity->use({std::move(signer), peppers.used, peppers.other, admin_key}));
        signing->use(tokens.used, tokens.other);
        return true;
    }
};

Platform::Platform() : parts_(std::make_unique<Parts>()) {}
Platform::~Platform() = default;

Result<std::unique_ptr<Platform>> Platform::open(
    const Settings& settings,
    Configuration configuration,
    const EnvLookup& environment,
    Observers observers,
    Ways ways
) {
    std::unique_ptr<Platform> platform(new Platform());
    Parts& p = *platform->parts_;
    p.settings = settings;
    p.server = std::move(configuration.settings);
    p.secrets = std::move(configuration.secrets);
    p.observers = observers;
    const OutboundRules::Follow follow = [secrets = p.secrets](std::string_view reference) {
        return secrets->follow(reference);
    };
    LAB_TRY(
        p.outbound, OutboundRules::make(p.server, p.secrets->named().environment(), ways, follow)
    );
    p.env = [&p, environment, keys = provider_environment(p.server)](const std::string& name) {
        if (name == "AWS_REGION" || name == "AWS_DEFAULT_REGION") {
            return environment(name);  // where models of Amazon's are
        }
        if (service::is_credential_variable(name)) {
            return p.secret_of(name);
        }
        // The one of the start says that it is a provider's; since then it may have been rotated.
        auto key = keys(name);
        return key ? p.secrets->named().environment()(name) : std::move(key);
    };
    p.objects = make_object_store(p.server, environment, p.clock);
    p.program = platform->make_program();
    const Ctx ctx = Ctx(p.clock).within(std::chrono::seconds(60));
    LAB_CHECK(p.open_store(ctx));
    LAB_CHECK(p.open_identity(ctx));
    return platform;
}

const ServerSettings& Platform::settings() const { return parts_->server; }
service::Deps& Platform::deps() { return parts_->program->deps(); }
Program& Platform::program() { return *parts_->program; }
storage::Database& Platform::database() { return *parts_->database; }
storage::SessionPool& Platform::sessions() { return *parts_->sessions; }
storage::SessionPool* Platform::copies() { return parts_->copies.get(); }
void Platform::resize_sessions(const DatabaseSettings& settings) {
    const std::size_t max = parts_->sessions_max(settings);
    parts_->sessions->resize(max);
    if (parts_->copies) {
        parts_->copies->resize(max);
    }
}
service::Identity& Platform::identity() { return *parts_->identity; }
storage::ObjectStore* Platform::object_store() { return parts_->objects.get(); }
Secrets& Platform::secrets() { return *parts_->secrets; }
Result<bool> Platform::take_secrets() { return parts_->take_secrets(); }
RandomSource& Platform::random() { return parts_->random; }
const SigningKeys& Platform::signing() const { return *parts_->signing; }

std::unique_ptr<Program> Platform::make_program() const {
    Parts* const parts = parts_.get();
    auto program = std::make_unique<Program>(
        parts->settings, parts->env, parts->observers, parts->outbound->client_options()
    );
    const DatabaseSettings& database = parts->server.database;
    if (!parts->server.embedded()) {
        // The host's name tells replicas apart: under Kubernetes it is the pod's.
        program->use_postgres(
            database.write_url.empty() ? database.url : database.write_url,
            "llm-research " + host_name()
        );
    }
    service::Deps& deps = program->deps();
    deps.process_name = host_name() + "/" + deps.uuids->next();
    if (!parts->server.embedded()) {
        deps.lock_folder.clear();  // a lock of this machine says nothing about the others
    }
    deps.outbound = parts->outbound.get();
    deps.check_model =
        [parts, next = deps.check_model](const domain::ModelSpec& model, std::string_view path) {
            const Status allowed = parts->check_way_out(model);
            return allowed ? next(model, path)
                           : std::vector<Detail>{{std::string(path), allowed.error().message}};
        };
    deps.make_provider = [parts, next = deps.make_provider](const domain::ModelSpec& model
                         ) -> Result<std::unique_ptr<providers::Provider>> {
        LAB_CHECK(parts->check_way_out(model));
        return next(model);
    };
    program->use_store(parts->objects);
    if (!parts->server.analytics.url.empty()) {
        program->keep_outbox();
    }
    return program;
}

Result<std::unique_ptr<service::RunnerParts>> Platform::make_runner() const {
    return std::make_unique<ProgramParts>(make_program());
}

}  // namespace lab::app
