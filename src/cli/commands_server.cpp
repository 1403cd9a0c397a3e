#include "cli/api_view.h"
#include "cli/commands.h"
#include "cli/transport.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <iterator>

namespace lab::cli {
namespace {

constexpr std::size_t kPasswordBytesMax = 1024;

/// One line of standard input, without its end.
Result<std::string> read_line(std::FILE* from) {
    std::string out;
    for (int c = std::fgetc(from); c != EOF && c != '\n'; c = std::fgetc(from)) {
        out += static_cast<char>(c);
        if (out.size() > kPasswordBytesMax) {
            return Error(Code::validation, "a password has at most 1024 bytes");
        }
    }
    if (!out.empty() && out.back() == '\r') {
        out.pop_back();
    }
    return out;
}

void add_serve(CLI::App& app, const Choose& choose) {
    CLI::App* serve = app.add_subcommand("serve", "Serve the REST API, and carry out its runs");
    const auto options = std::make_shared<ServeOptions>();
    const auto no_worker = std::make_shared<bool>(false);
    serve->add_option("--host", options->host, "Address to listen on (SERVER_HOST)")
        ->type_name("ADDRESS");
    serve->add_option("--port", options->port, "Port; 0 takes any that is free (SERVER_PORT)")
        ->type_name("PORT")
        ->check(CLI::Range(0, 65535));
    serve->add_flag("--no-worker", *no_worker, "Serve only: other processes carry out the runs");
    serve->footer(examples({
        "llm-research serve",
        "llm-research serve --port 8081",
        "ADMIN_KEY=... ENVIRONMENT=production JWT_SECRET=... llm-research serve --host 0.0.0.0",
        "llm-research config check --server    # every setting and where it comes from",
    }));
    serve->callback([choose, options, no_worker] {
        choose([options, no_worker](const Invocation& in) -> Result<int> {
            options->worker = !*no_worker;
            return in.deps.serve(in.settings, *options);
        });
    });
}

void add_worker(CLI::App& app, const Choose& choose) {
    CLI::App* worker = app.add_subcommand(
        "worker", "Carry out the runs that a server has queued, without serving the REST API"
    );
    worker->footer(examples({
        "DATABASE_URL=postgresql://lab@db/lab llm-research worker",
        "curl http://127.0.0.1:9090/health/ready    # METRICS_PORT has probes and metrics",
    }));
    worker->callback([choose] {
        choose([](const Invocation& in) -> Result<int> {
            return in.deps.serve(in.settings, {.host = {}, .port = {}, .api = false});
        });
    });
}

void choose_admin(
    const Choose& choose,
    CLI::App& command,
    const std::shared_ptr<AdminRequest>& request,
    bool password
) {
    command.callback([choose, request, password] {
        choose([request, password](const Invocation& in) -> Result<int> {
            if (password) {
                LAB_TRY(request->password, read_line(stdin));
                if (request->password.empty()) {
                    note(in.console, "no password was given: this user has only tokens and keys");
                }
            }
            LAB_TRY(const Json made, in.deps.administer(in.settings, *request));
            LAB_CHECK(print_answer(in.console, in.settings.output, made, {}));
            return 0;
        });
    });
}

void add_maintenance(CLI::App& admin, const Choose& choose) {
    CLI::App* maintenance = admin.add_subcommand(
        "maintenance", "Servers of this store refuse writes and new runs while it lasts"
    );
    maintenance->require_subcommand(1);
    const auto add =
        [&](const char* name, const char* help, AdminRequest::What what, const char* sample) {
            const auto request = std::make_shared<AdminRequest>();
            request->what = what;
            CLI::App* command = maintenance->add_subcommand(name, help);
            if (what == AdminRequest::What::maintenance_on) {
                command->add_option("--reason", request->reason, "Why, for those who ask");
            }
            command->footer(examples({sample}));
            choose_admin(choose, *command, request, false);
        };
    add("on",
        "Begin; running runs go on",
        AdminRequest::What::maintenance_on,
        "llm-research admin maintenance on --reason \"new disk, back at 14:00\"");
    add("off", "End", AdminRequest::What::maintenance_off, "llm-research admin maintenance off");
    add("status",
        "Whether there is any",
        AdminRequest::What::maintenance_status,
        "llm-research admin maintenance status -o json");
    maintenance->footer(examples({
        "llm-research admin maintenance on --reason \"new disk, back at 14:00\"",
        "llm-research admin maintenance off",
    }));
}

/// What an operator does before the first start of a new release.
void add_upkeep(CLI::App& admin, const Choose& choose) {
    CLI::App* migrate = admin.add_subcommand(
        "migrate", "Bring the store to the form of this release; again changes nothing"
    );
    migrate->footer(examples({"llm-research admin migrate"}));
    migrate->callback([choose] {
        choose([](const Invocation& in) -> Result<int> {
            Settings here = in.settings;
            here.api_url.clear();
            LAB_TRY(const Transport* opened, in.deps.connect(here));  // which migrates
            const std::vector<Field> fields = {
                {"status", "migrated"}, {"store", opened->where()}, {"version", in.deps.version}
            };
            LAB_CHECK(print_fields(in.console, fields, in.settings.output));
            return 0;
        });
    });
    CLI::App* check = admin.add_subcommand(
        "check-config", "Check the settings of the server and print them, secrets masked"
    );
    check->footer(examples({"llm-research admin check-config"}));
    check->callback([choose] {
        choose([](const Invocation& in) -> Result<int> {
            LAB_TRY(auto rows, in.deps.server_settings());
            const Table table{
                .columns = {"setting", "value", "from"}, .rows = std::move(rows), .numeric = {}
            };
            LAB_CHECK(print_table(in.console, table, in.settings.output));
            return 0;
        });
    });
}

/// The token alone, so that a shell can take it; for programs all that is known of it.
void add_create_token(CLI::App& admin, const Choose& choose) {
    const auto token = std::make_shared<AdminRequest>();
    token->what = AdminRequest::What::create_token;
    CLI::App* create_token =
        admin.add_subcommand("create-token", "Make an access token for a user, and print it");
    create_token->add_option("--email", token->email, "E-mail address of the user")->required();
    const auto seconds = std::make_shared<std::int64_t>(3600);
    const std::map<std::string, std::int64_t> units{
        {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 24 * 3600}
    };
    create_token
        ->add_option(
            "--ttl,--life", *seconds, "How long it is good for: 90s, 30m, 1h, 7d; 1m to 90d"
        )
        ->type_name("TIME")
        ->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::CASE_SENSITIVE))
        ->check(CLI::Range(60, 90 * 24 * 3600));
    create_token->footer(examples({
        "export TEST_TOKEN=$(llm-research admin create-token --email ann@example.org --ttl 1h)",
        "llm-research admin create-token --email ann@example.org -o json",
    }));
    create_token->callback([choose, token, seconds] {
        choose([token, seconds](const Invocation& in) -> Result<int> {
            token->life = std::chrono::seconds(*seconds);
            LAB_TRY(const Json made, in.deps.administer(in.settings, *token));
            if (in.settings.output == "json" || in.settings.output == "yaml") {
                LAB_CHECK(print_answer(in.console, in.settings.output, made, {}));
            } else {
                LAB_CHECK(print_text(in.console, made.value("access_token", std::string())));
            }
            return 0;
        });
    });
}

void add_admin(CLI::App& app, const Choose& choose) {
    CLI::App* admin =
        app.add_subcommand("admin", "Users, tokens, keys and maintenance, straight in the store");
    admin->require_subcommand(1);
    add_maintenance(*admin, choose);

    const auto user = std::make_shared<AdminRequest>();
    user->what = AdminRequest::What::create_user;
    CLI::App* create_user = admin->add_subcommand(
        "create-user", "Make a user; the password is the first line of standard input"
    );
    create_user->add_option("--email", user->email, "E-mail address, to log in with")->required();
    create_user->add_option("--name", user->name, "Name; the e-mail address when not given");
    create_user->add_option("--role", user->roles, "Role; may be repeated")->required();
    create_user->add_option(
        "--tier", user->tier, "free, standard, professional, enterprise, unlimited"
    );
    create_user
        ->add_option(
            "--org", user->org, "Organisation, made when there is none; the default one otherwise"
        )
        ->type_name("NAME");
    create_user->footer(examples(
        {"llm-research admin create-user --email ann@example.org --role Admin < password.txt"}
    ));
    choose_admin(choose, *create_user, user, true);

    add_create_token(*admin, choose);

    const auto key = std::make_shared<AdminRequest>();
    key->what = AdminRequest::What::create_key;
    CLI::App* create_key = admin->add_subcommand("create-key", "Make an API key for a user");
    create_key->add_option("--email", key->email, "E-mail address of the owner")->required();
    create_key->add_option("--name", key->name, "Name of the key")->required();
    create_key
        ->add_option("--scope", key->scopes, "Scope such as experiments:read; may be repeated")
        ->required();
    create_key->footer(
        examples({"llm-research admin create-key --email ann@example.org --name ci --scope '*'"})
    );
    choose_admin(choose, *create_key, key, false);
    add_upkeep(*admin, choose);
    add_moving_commands(*admin, choose);
    admin->footer(examples({"llm-research admin create-user --email ann@example.org --role Admin"})
    );
}

}  // namespace

void add_server_commands(CLI::App& app, const Choose& choose) {
    add_serve(app, choose);
    add_worker(app, choose);
    add_admin(app, choose);
}

}  // namespace lab::cli
