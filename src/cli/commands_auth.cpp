#include "base/text.h"
#include "base/time_text.h"
#include "cli/api_command.h"
#include "cli/session.h"

#include <CLI/CLI.hpp>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <optional>

namespace lab::cli {
namespace {

constexpr std::size_t kSecretBytesMax = 1024;

/// What the terminal was like, for a handler of signals, which has nowhere else to look.
termios& terminal_before() {
    static termios before{};
    return before;
}

extern "C" void give_terminal_back(int signal) {
    ::tcsetattr(STDIN_FILENO, TCSANOW, &terminal_before());
    ::raise(signal);  // SA_RESETHAND has put the default action back, which follows
}

/// Nothing that is typed is shown while this lives, and also not once a signal has ended the
/// program.
class HiddenTyping {
  public:
    HiddenTyping() {
        termios quiet = terminal_before();
        quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
        struct sigaction action{};
        action.sa_handler = give_terminal_back;
        action.sa_flags = static_cast<int>(SA_RESETHAND);
        for (std::size_t i = 0; i < kSignals.size(); ++i) {
            ::sigaction(kSignals[i], &action, &actions_[i]);
        }
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
    }
    ~HiddenTyping() {
        ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &terminal_before());
        for (std::size_t i = 0; i < kSignals.size(); ++i) {
            ::sigaction(kSignals[i], &actions_[i], nullptr);
        }
    }
    HiddenTyping(const HiddenTyping&) = delete;
    HiddenTyping& operator=(const HiddenTyping&) = delete;

  private:
    static constexpr std::array kSignals{SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    std::array<struct sigaction, kSignals.size()> actions_{};
};

/// One line; not shown where it is typed on a terminal.
Result<std::string> ask(const Invocation& in, const std::string& what, bool secret) {
    const bool terminal =
        ::isatty(STDIN_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &terminal_before()) == 0;
    std::optional<HiddenTyping> hidden;
    if (terminal) {
        LAB_CHECK(write_all(in.console.err, what + ": "));
        if (secret) {
            hidden.emplace();
        }
    }
    std::string out;
    for (int c = std::fgetc(stdin); c != EOF && c != '\n'; c = std::fgetc(stdin)) {
        if (out.size() < kSecretBytesMax) {
            out += static_cast<char>(c);
        }
    }
    if (hidden) {
        hidden.reset();
        note(in.console, "");
    }
    if (out.ends_with('\r')) {
        out.pop_back();
    }
    if (out.empty()) {
        return Error(Code::validation, "no " + what + " was given");
    }
    return out;
}

/// A login that is refused needs no advice to log in.
Error refused_login(Error error, const std::string& what) {
    if (error.code == Code::unauthorized) {
        return Error(Code::unauthorized, "the server does not take " + what);
    }
    return error;
}

Error nobody_to_log_in_to() {
    return Error(
        Code::validation,
        "no server is configured, and in this process nobody has to log in: give --api-url, "
        "LLM_RESEARCH_API_URL or a profile with api_url"
    );
}

struct LoginOptions {
    std::string email;
    bool use_keyring = false;
};

/// A key is tried before it is kept.
Result<std::string> check_key(const Invocation& in, Transport& transport, const std::string& key) {
    ApiClientOptions options;
    options.timeout = std::chrono::seconds(in.settings.timeout_secs);
    options.credential = [&key]() -> Result<http::Headers> {
        return http::Headers{{"X-API-Key", key}};
    };
    ApiClient client(transport, in.uuids, std::move(options));
    LAB_TRY(const Json me, client.get("/auth/me"));
    return me.value("email", "");
}

Result<int> do_login(const Invocation& in, const LoginOptions& options) {
    if (in.settings.api_url.empty()) {
        return nobody_to_log_in_to();
    }
    LAB_TRY(CredentialStore store, credential_store(in));
    LAB_TRY(Transport * transport, in.deps.connect(in.settings));
    Credential credential;
    credential.server = transport->url();
    credential.profile = in.settings.profile;
    credential.in_keyring = options.use_keyring;
    std::string email = options.email;
    if (email.empty() && in.api_key.empty()) {
        if (::isatty(STDIN_FILENO) == 0) {
            return Error(
                Code::validation,
                "say who logs in: --email (the password is the first line of standard input), or "
                "--api-key"
            );
        }
        LAB_TRY(email, ask(in, "e-mail address", false));
    }
    if (email.empty()) {
        auto owner = check_key(in, *transport, in.api_key);
        if (!owner) {
            return refused_login(owner.error(), "this API key");
        }
        credential.email = *owner;
        credential.api_key = in.api_key;
    } else {
        LAB_TRY(const std::string password, ask(in, "password", true));
        ApiClientOptions client_options;
        client_options.timeout = std::chrono::seconds(in.settings.timeout_secs);
        ApiClient client(*transport, in.uuids, std::move(client_options));
        const auto tokens =
            client.post("/auth/login", Json{{"email", email}, {"password", password}});
        if (!tokens) {
            return refused_login(tokens.error(), "this e-mail address with this password");
        }
        credential.email = email;
        take_tokens(*tokens, unix_now(), credential);
    }
    LAB_TRY(const auto held, store.lock());
    LAB_CHECK(store.save(credential));
    note(
        in.console,
        "logged in to " + credential.server +
            (credential.email.empty() ? "" : " as " + credential.email)
    );
    return 0;
}

Result<int> do_logout(const Invocation& in, bool all) {
    LAB_TRY(CredentialStore store, credential_store(in));
    LAB_TRY(const std::vector<Credential> kept, store.list());
    std::string server = in.settings.api_url;
    while (server.ends_with('/')) {
        server.pop_back();
    }
    std::size_t gone = 0;
    for (const Credential& one : kept) {
        const bool this_one = one.server == server && one.profile == in.settings.profile;
        if (!all && !this_one) {
            continue;
        }
        LAB_TRY(const auto whole, store.find(one.server, one.profile));
        if (this_one && whole && !whole->access_token.empty()) {
            LAB_TRY(Transport * transport, in.deps.connect(in.settings));
            // A server that is away forgets the login by itself when its time is over.
            static_cast<void>(transport->send({
                .method = "POST",
                .path = "/auth/logout",
                .headers = {{"Authorization", "Bearer " + whole->access_token}},
                .timeout = std::chrono::seconds(5),
            }));
        }
        LAB_TRY(const auto held, store.lock());
        LAB_CHECK(store.remove(one.server, one.profile));
        ++gone;
    }
    std::string none = "there was no login";
    if (gone == 0 && !all && !kept.empty()) {
        none += server.empty()
                    ? ": say of which server (--api-url), or --all"
                    : " at " + server + "; `llm-research auth status` shows those there are";
    }
    note(in.console, gone == 0 ? none : "logged out");
    return 0;
}

/// To people in words; to programs `renewed_in` in seconds and `expires_at` as a time, null for
/// keys.
Result<int> do_status(const Invocation& in) {
    LAB_TRY(CredentialStore store, credential_store(in));
    LAB_TRY(const std::vector<Credential> kept, store.list());
    const bool for_people = in.settings.output == "table";
    const auto or_null = [](const std::string& text) { return text.empty() ? Json() : Json(text); };
    Json rows = Json::array();
    for (const Credential& one : kept) {
        const std::int64_t left = std::max<std::int64_t>(0, one.expires_at - unix_now());
        const bool tokens = one.expires_at > 0;
        Json row = {
            {"server", one.server},
            {"profile", or_null(one.profile)},
            {"who", or_null(one.email)},
            {"with", tokens ? "login" : "API key"},
            {"kept_in", one.in_keyring ? "keyring" : "file"},
            {"renewed_in", nullptr},
            {"expires_at", nullptr},
        };
        if (tokens && for_people) {
            row["renewed_in"] = left > 0 ? std::to_string(left) + " s" : "the next use";
        } else if (tokens) {
            row["renewed_in"] = left;
            row["expires_at"] = format_rfc3339(WallTime(std::chrono::seconds(one.expires_at)));
        }
        rows.push_back(std::move(row));
    }
    if (!in.api_key.empty()) {
        note(in.console, "an API key is given, and goes before what is kept");
    }
    if (rows.empty()) {
        note(in.console, "there is no login");
    }
    Columns columns = {
        {.title = "server", .member = "server"},
        {.title = "profile", .member = "profile"},
        {.title = "who", .member = "who"},
        {.title = "with", .member = "with"},
        {.title = "kept in", .member = "kept_in"},
        {.title = "renewed in", .member = "renewed_in"},
    };
    if (!for_people) {
        columns.push_back({.title = "expires at", .member = "expires_at"});
    }
    LAB_CHECK(print_answer(in.console, in.settings.output, rows, columns));
    return 0;
}

Result<int> do_test(const Invocation& in) {
    if (in.settings.api_url.empty()) {
        return nobody_to_log_in_to();
    }
    LAB_TRY(ApiClient * client, api_of(in));
    LAB_TRY(const Json me, client->get("/auth/me"));
    LAB_CHECK(print_answer(in.console, in.settings.output, me, {}));
    return 0;
}

}  // namespace

void add_auth_commands(CLI::App& app, const Choose& choose) {
    CLI::App* auth = app.add_subcommand("auth", "Log in to a server");
    auth->require_subcommand(1);
    auth->footer(examples({"llm-research auth login --email ann@example.org"}));
    const auto options = std::make_shared<LoginOptions>();
    CLI::App* login = auth->add_subcommand(
        "login", "Log in with a password, asked for or from standard input, or keep an --api-key"
    );
    login->add_option("--email", options->email, "E-mail address of the user");
    login->add_flag(
        "--use-keyring",
        options->use_keyring,
        "Keep it in the keyring of the desktop, not in a file"
    );
    login->footer(examples({
        "llm-research auth login --api-url https://lab.example.org --email ann@example.org",
        "llm-research auth login --email ann@example.org < password.txt",
        "LLM_RESEARCH_API_KEY=... llm-research auth login --profile lab",
    }));
    login->callback([choose, options] {
        choose([options](const Invocation& in) { return do_login(in, *options); });
    });
    const auto all = std::make_shared<bool>(false);
    CLI::App* logout = auth->add_subcommand("logout", "End the login and forget it");
    logout->add_flag("--all", *all, "Those of all servers and profiles");
    logout->footer(examples({"llm-research auth logout", "llm-research auth logout --all"}));
    logout->callback([choose, all] {
        choose([all](const Invocation& in) { return do_logout(in, *all); });
    });
    CLI::App* status = auth->add_subcommand("status", "Which logins are kept");
    status->footer(examples({"llm-research auth status"}));
    status->callback([choose] { choose([](const Invocation& in) { return do_status(in); }); });
    CLI::App* test = auth->add_subcommand("test", "Ask the server who you are");
    test->footer(examples({"llm-research auth test"}));
    test->callback([choose] { choose([](const Invocation& in) { return do_test(in); }); });
}

}  // namespace lab::cli
