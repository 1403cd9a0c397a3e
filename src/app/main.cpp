#include "app/doctor.h"
#include "app/http_transport.h"
#include "app/interrupts.h"
#include "app/keyring.h"
#include "app/local_api.h"
#include "app/migrate.h"
#include "app/moving.h"
#include "app/secrets.h"
#include "app/serve.h"
#include "app/wire.h"
#include "cli/cli.h"

#include <cstdio>
#include <exception>
#include <memory>

namespace {

int run(int argc, char** argv) {
    lab::app::prepare_process();
    std::unique_ptr<lab::app::Program> program;
    std::unique_ptr<lab::cli::Transport> transport;
    std::unique_ptr<lab::cli::Keyring> keyring;
    lab::cli::Deps deps;
    deps.env = lab::process_environment();
    deps.version = lab::app::version();
    deps.build = lab::app::build_words();
    deps.vocabulary = []() -> const lab::domain::SpecVocabulary& { return lab::app::vocabulary(); };
    deps.open = [&](const lab::Settings& settings) -> lab::Result<lab::service::Deps*> {
        if (!program) {
            program =
                std::make_unique<lab::app::Program>(settings, lab::app::with_secrets(deps.env));
        }
        return &program->deps();
    };
    deps.doctor = [&](const lab::Settings& settings) {
        return lab::app::examine(settings, deps.env, deps.open);
    };
    deps.serve = [&](const lab::Settings& settings, const lab::cli::ServeOptions& options) {
        return lab::app::serve(settings, deps.env, options);
    };
    deps.administer = [&](const lab::Settings& settings, const lab::cli::AdminRequest& request) {
        return lab::app::administer(settings, deps.env, request);
    };
    deps.migrate = [&](const lab::cli::MigrateRequest& request) {
        return lab::app::migrate(deps.env, request);
    };
    deps.move = [&](const lab::Settings& settings, const lab::cli::MoveRequest& request) {
        return lab::app::move_store(settings, deps.env, request);
    };
    deps.connect = [&](const lab::Settings& settings) -> lab::Result<lab::cli::Transport*> {
        LAB_TRY(
            transport,
            settings.api_url.empty() ? lab::app::make_local_api(settings, deps.env)
                                     : lab::app::make_http_transport(settings.api_url)
        );
        return transport.get();
    };
    deps.keyring = [&]() -> lab::cli::Keyring* {
        keyring = keyring ? std::move(keyring) : lab::app::make_keyring();
        return keyring.get();
    };
    deps.server_settings = [&] { return lab::app::show_server_settings(deps.env); };
    deps.on_interrupt = [&](std::function<void()> handler) {
        lab::app::handle_interrupts(program->loop(), std::move(handler));
    };
    return lab::cli::run(argc, argv, deps);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        return run(argc, argv);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "llm-research: this is a bug: %s\n", error.what());
    } catch (...) {
        std::fprintf(stderr, "llm-research: this is a bug: an unknown exception\n");
    }
    return 1;
}
