#include "app/wire.h"

#include "app/aws_access.h"
#include "app/object_store.h"
#include "platform/http/curl_client.h"
#include "platform/process/event_loop.h"
#include "platform/process/worker.h"
#include "providers/factory.h"
#include "providers/prices.h"
#include "science/metrics/extract.h"
#include "science/metrics/scorer.h"
#include "service/scratch.h"
#include "storage/objects/folder.h"
#include "storage/store/outbox.h"
#include "storage/store/postgres.h"
#include "storage/store/sqlite.h"

#include <unistd.h>

#include <filesystem>
#include <mutex>

namespace lab::app {

namespace fs = std::filesystem;

struct Program::Parts {
    Settings settings;
    EnvLookup env;
    Observers observers;
    SystemClock clock;
    RandomUuids uuids;
    EventLoop loop{clock};
    http::ClientOptions outbound;
    std::unique_ptr<http::Client> http;
    std::unique_ptr<AwsAccess> aws;
    std::optional<service::ScratchFolder> copy;  ///< of a database that may only be read
    storage::PostgresOptions postgres;           ///< without a URL: a file of the home
    bool outbox = false;                         ///< whether it is kept
    std::unique_ptr<storage::Database> database;
    std::shared_ptr<storage::ObjectStore> store;  ///< behind the folder, or none
    std::unique_ptr<storage::ObjectFolder> objects;
    ThreadWorker worker;
    ThreadWorker disk;
    service::Deps deps;
    /// What is made when it is first asked for: threads of the service ask, several at once. Held
    /// where it is asked, and within client().
    std::mutex making;

    Status make_home() const {
        std::error_code code;
        for (const char* below : {"", "objects", "locks"}) {
            const fs::path folder = fs::path(settings.home) / below;
            fs::create_directories(folder, code);
            if (code) {
                return Error(
                    Code::io,
                    "cannot create " + folder.string() + ": " + code.message() +
                        "; mend it or set LLM_RESEARCH_HOME to another folder"
                );
            }
        }
        fs::permissions(
            settings.home, fs::perms::owner_all, code
        );  // best effort: it may be shared
        return ok();
    }

    Result<storage::Database*> open_database(const Ctx& ctx) {
        if (!database) {
            LAB_CHECK(make_home());
            LAB_TRY(
                database,
                postgres.url.empty()
                    ? storage::open_sqlite(
                          ctx, {.path = (fs::path(settings.home) / "lab.db").string()}
                      )
                    : storage::open_postgres(postgres)
            );
            if (observers.statements != nullptr) {
                database =
                    storage::observe_database(std::move(database), clock, *observers.statements);
            }
            if (outbox) {
                database = storage::keep_outbox(std::move(database));
            }
            LAB_CHECK(database->migrate(ctx));
        }
        return database.get();
    }

    /// A home that nobody may write to is read from a copy: SQLite writes where it reads.
    Result<storage::Database*> open_database_to_read(const Ctx& ctx) {
        if (!postgres.url.empty()) {
            return open_database(ctx);
        }
        const fs::path home = settings.home;
        std::error_code code;
        if (!fs::exists(home / "lab.db", code)) {
            return Error(Code::not_found, "nothing was imported into " + settings.home + " yet");
        }
        if (database || (is_writable(home) && is_writable(home / "lab.db"))) {
            return open_database(ctx);
        }
        LAB_TRY(copy, service::ScratchFolder::make(deps.scratch_folder));
        const fs::path folder = copy->path();
        for (const char* name : {"lab.db", "lab.db-wal"}) {
            if (fs::exists(home / name, code)) {
                fs::copy_file(home / name, folder / name, code);
                fs::permissions(folder / name, fs::perms::owner_write, fs::perm_options::add, code);
            }
            if (code) {
                return Error(
                    Code::io, "cannot read " + (home / name).string() + ": " + code.message()
                );
            }
        }
        LAB_TRY(database, storage::open_sqlite(ctx, {.path = (folder / "lab.db").string()}));
        LAB_CHECK(database->migrate(ctx));
        return database.get();
    }

    static bool is_writable(const fs::path& path) { return ::access(path.c_str(), W_OK) == 0; }

    Result<storage::ObjectFolder*> open_objects() {
        if (!objects) {
            objects = std::make_unique<storage::ObjectFolder>(
                (fs::path(settings.home) / "objects").string(), store, kObjectCacheBytes
            );
        }
        return objects.get();
    }

    /// Not with `env`: what a served model may see is less.
    Result<std::shared_ptr<providers::RequestSigner>> sign_for(
        const std::string& region, const std::string& service
    ) {
        const std::scoped_lock lock(making);
        if (!aws) {
            aws = std::make_unique<AwsAccess>(clock, process_environment());
        }
        return aws->signer(region, service);
    }

    http::Client& client() {
        const std::scoped_lock lock(making);
        if (!http) {
            outbound.user_agent = "llm-research/" + std::string(version());
            http = http::make_curl_client(loop, outbound);
        }
        return *http;
    }
};

const domain::SpecVocabulary& vocabulary() {
    static const domain::SpecVocabulary kVocabulary = [] {
        domain::SpecVocabulary out;
        for (const science::ScorerType& type : science::scorer_types()) {
            out.scorers.emplace_back(std::string(type.name), type.options_schema());
        }
        out.extract_schema = science::extract_schema();
        out.providers = providers::provider_names();
        return out;
    }();
    return kVocabulary;
}

std::string_view version() { return LAB_VERSION; }

std::string build_words() {
    std::string out = "compiler: clang " __clang_version__;
#ifdef LAB_SANITIZED
    out += ", sanitized";
#endif
    out += ", " LAB_BUILD_TYPE;
    return out;
}

Program::Program(
    Settings settings, EnvLookup env, Observers observers, http::ClientOptions outbound
)
    : parts_(std::make_unique<Parts>()) {
    Parts& p = *parts_;
    p.settings = std::move(settings);
    p.env = std::move(env);
    p.outbound = std::move(outbound);
    p.observers = observers;
    service::Deps& d = p.deps;
    d.clock = &p.clock;
    d.uuids = &p.uuids;
    d.loop = &p.loop;
    d.run_loop = [&p] { p.loop.run(); };
    d.stop_loop = [&p] { p.loop.stop(); };
    d.worker = &p.worker;
    d.disk = &p.disk;
    d.database = [&p](const Ctx& ctx) {
        const std::scoped_lock lock(p.making);
        return p.open_database(ctx);
    };
    d.database_to_read = [&p](const Ctx& ctx) {
        const std::scoped_lock lock(p.making);
        return p.open_database_to_read(ctx);
    };
    std::error_code code;
    d.scratch_folder = fs::temp_directory_path(code).string();
    d.scratch_folder = code ? "/tmp" : d.scratch_folder;
    d.objects = [&p] {
        const std::scoped_lock lock(p.making);
        return p.open_objects();
    };
    d.lock_folder = (fs::path(p.settings.home) / "locks").string();
    // Not p.env: what a served model may see is less.
    d.parquet_library = process_environment()("LAB_DUCKDB_LIBRARY").value_or("");
    d.vocabulary = &vocabulary();
    d.make_provider = [&p](const domain::ModelSpec& model
                      ) -> Result<std::unique_ptr<providers::Provider>> {
        LAB_TRY(
            auto provider,
            providers::make_provider(
                model,
                {.http = &p.client(),
                 .clock = &p.clock,
                 .env = p.env,
                 .aws = [&p](
                            const std::string& region, const std::string& service
                        ) { return p.sign_for(region, service); }}
            )
        );
        if (p.observers.calls != nullptr) {
            provider = providers::observe_provider(
                std::move(provider), model, providers::find_pricing(model), *p.observers.calls
            );
        }
        return provider;
    };
    d.check_model = [&p](const domain::ModelSpec& model, std::string_view path) {
        return providers::check_model(model, p.env, path);
    };
    d.find_pricing = [](const domain::ModelSpec& model) { return providers::find_pricing(model); };
    if (observers.service != nullptr) {
        d.observer = observers.service;
    }
    d.price_table_version = providers::kPriceTableVersion;
    d.software_version = version();
}

Program::~Program() = default;

void Program::use_store(std::shared_ptr<storage::ObjectStore> store) {
    parts_->store = std::move(store);
}

void Program::keep_outbox() { parts_->outbox = true; }

service::Deps& Program::deps() { return parts_->deps; }

Executor& Program::loop() { return parts_->loop; }

void Program::use_postgres(std::string url, std::string application_name) {
    parts_->postgres.url = std::move(url);
    parts_->postgres.application_name = std::move(application_name);
}

}  // namespace lab::app
