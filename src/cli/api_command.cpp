#include "cli/api_command.h"

#include "base/percent.h"
#include "base/text.h"
#include "cli/session.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace lab::cli {
namespace {

constexpr std::size_t kFileBytesMax = 8U << 20;

std::string name_of(const std::string& flags) {
    std::string name =
        flags.substr(flags.rfind(',') == std::string::npos ? 0 : flags.rfind(',') + 1);
    while (name.starts_with('-')) {
        name.erase(0, 1);
    }
    return name;
}

std::string upper(std::string text) {
    for (char& c : text) {
        c = c == '-' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 32 : c);
    }
    return text;
}

/// Puts a value where "a.b" says.
void put(Json& body, const std::string& member, Json value) {
    Json* at = &body;
    const auto names = split(member, '.');
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
        at = &(*at)[std::string(names[i])];
    }
    (*at)[std::string(names.back())] = std::move(value);
}

template <class T>
T must(Result<T> result, const std::string& flags) {
    if (!result) {
        throw CLI::ValidationError(flags, result.error().message);
    }
    return *std::move(result);
}

Result<Json> json_of(const std::string& given) {
    LAB_TRY(const std::string text, text_or_file(given));
    auto parsed = parse_json(text);
    if (!parsed) {
        return Error(Code::validation, "it is " + parsed.error().message);
    }
    return parsed;
}

}  // namespace

std::string fill_path(const std::string& path, const ApiValues& values) {
    std::string out;
    for (std::size_t at = 0; at < path.size();) {
        const std::size_t open = path.find('{', at);
        if (open == std::string::npos) {
            return out + path.substr(at);
        }
        const std::size_t close = path.find('}', open);
        out += path.substr(at, open - at);
        const auto found = values.arguments.find(path.substr(open + 1, close - open - 1));
        LAB_ASSERT(found != values.arguments.end(), "a path names arguments that exist");
        out += percent_encode(found->second);
        at = close + 1;
    }
    return out;
}

Result<std::string> text_or_file(const std::string& given) {
    if (!given.starts_with('@')) {
        return given;
    }
    const std::string path = given.substr(1);
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return Error(Code::validation, "cannot read the file " + path);
    }
    std::string text(kFileBytesMax + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    if (text.size() > kFileBytesMax) {
        return Error(Code::validation, path + " has more than 8 MiB");
    }
    return text;
}

Result<ApiClient*> api_of(const Invocation& in) {
    if (!in.client) {
        LAB_TRY(Transport * transport, in.deps.connect(in.settings));
        LAB_TRY(ApiClientOptions options, client_options(in, *transport));
        in.client = std::make_unique<ApiClient>(*transport, in.uuids, std::move(options));
    }
    return in.client.get();
}

Result<bool> confirm(const Invocation& in, const std::string& question) {
    if (::isatty(STDIN_FILENO) == 0) {
        return Error(Code::validation, question + " Nobody is there to be asked: say so with -f");
    }
    LAB_CHECK(write_all(in.console.err, question + " [y/N] "));
    std::string answer;
    for (int c = std::fgetc(stdin); c != EOF && c != '\n'; c = std::fgetc(stdin)) {
        if (answer.size() < 16) {
            answer += static_cast<char>(c);
        }
    }
    answer = to_lower(trim(answer));
    return answer == "y" || answer == "yes";
}

ApiCommand::ApiCommand(CLI::App& parent, const std::string& name, const std::string& help)
    : app_(parent.add_subcommand(name, help)) {}

ApiCommand& ApiCommand::id(const std::string& name, const std::string& help) {
    app_->add_option_function<std::string>(
            name,
            [values = values_, name](const std::string& given) {
                // As a segment of a path these would name what stands above it (RFC 3986, 5.2.4).
                if (given.empty() || given == "." || given == "..") {
                    throw CLI::ValidationError(name, "\"" + given + "\" is no id");
                }
                values->arguments[name] = given;
            },
            help
    )
        ->required();
    return *this;
}

ApiCommand& ApiCommand::text(
    const std::string& flags, const std::string& member, const std::string& help, bool required
) {
    takes_body_ = true;
    app_->add_option_function<std::string>(
            flags,
            [values = values_, member, flags](const std::string& given) {
                put(values->body, member, must(text_or_file(given), flags));
            },
            help
    )
        ->type_name(upper(name_of(flags)))
        ->required(required);
    return *this;
}

ApiCommand& ApiCommand::list(
    const std::string& flags, const std::string& member, const std::string& help
) {
    takes_body_ = true;
    app_->add_option_function<std::string>(
            flags,
            [values = values_, member](const std::string& given) {
                Json words = Json::array();
                for (const std::string_view word : split(given, ',')) {
                    if (!trim_ascii(word).empty()) {
                        words.push_back(std::string(trim_ascii(word)));
                    }
                }
                put(values->body, member, std::move(words));
            },
            help
    )
        ->type_name("A,B");
    return *this;
}

ApiCommand& ApiCommand::json(
    const std::string& flags, const std::string& member, const std::string& help
) {
    takes_body_ = true;
    app_->add_option_function<std::string>(
            flags,
            [values = values_, member, flags](const std::string& given) {
                put(values->body, member, must(json_of(given), flags));
            },
            help
    )
        ->type_name("JSON");
    return *this;
}

ApiCommand& ApiCommand::whole(const std::string& flags, const std::string& help) {
    takes_body_ = true;
    app_->add_option_function<std::string>(
            flags,
            [values = values_, flags](const std::string& given) {
                Json whole = must(json_of(given), flags);
                if (!whole.is_object()) {
                    throw CLI::ValidationError(flags, "is not a JSON object");
                }
                whole.update(values->body);
                values->body = std::move(whole);
            },
            help
    )
        ->type_name("JSON");
    return *this;
}

ApiCommand& ApiCommand::yes(
    const std::string& flags, const std::string& member, const std::string& help
) {
    takes_body_ = true;
    app_->add_flag_function(
        flags, [values = values_, member](std::int64_t) { put(values->body, member, true); }, help
    );
    return *this;
}

ApiCommand& ApiCommand::query(
    const std::string& flags, const std::string& parameter, const std::string& help
) {
    app_->add_option_function<std::string>(
            flags,
            [values = values_, parameter](const std::string& given) {
                values->query.emplace_back(parameter, given);
            },
            help
    )
        ->type_name(upper(name_of(flags)));
    return *this;
}

ApiCommand& ApiCommand::number(
    const std::string& flags, const std::string& parameter, const std::string& help
) {
    app_->add_option_function<std::int64_t>(
            flags,
            [values = values_, parameter](const std::int64_t& given) {
                values->query.emplace_back(parameter, std::to_string(given));
            },
            help
    )
        ->type_name("N");
    return *this;
}

ApiCommand& ApiCommand::value(const std::string& flags, const std::string& help, bool required) {
    app_->add_option_function<std::string>(
            flags,
            [values = values_, name = name_of(flags)](const std::string& given) {
                values->arguments[name] = given;
            },
            help
    )
        ->type_name(upper(name_of(flags)))
        ->required(required);
    return *this;
}

ApiCommand& ApiCommand::force() {
    app_->add_flag_function(
        "-f,--force", [values = values_](std::int64_t) { values->force = true; }, "Do not ask"
    );
    return *this;
}

ApiCommand& ApiCommand::sample(std::initializer_list<std::string_view> lines) {
    app_->footer(examples(lines));
    return *this;
}

void ApiCommand::does(const Choose& choose, Work work) {
    app_->callback([choose, values = values_, work = std::move(work)] {
        choose([values, work](const Invocation& in) -> Result<int> {
            LAB_TRY(ApiClient * client, api_of(in));
            return work(in, *client, *values);
        });
    });
}

void ApiCommand::sends(
    const Choose& choose, std::string method, std::string path, const Columns& columns
) {
    does(
        choose,
        [method = std::move(method), path = std::move(path), columns, takes_body = takes_body_](
            const Invocation& in, ApiClient& client, ApiValues& values
        ) -> Result<int> {
            if (method == "PUT" && values.body.empty()) {
                return Error(Code::validation, "nothing to change: give at least one option");
            }
            const bool bare = method == "GET" || (!takes_body && method == "POST");
            LAB_TRY(
                const Json answer,
                client.call({
                    .method = method,
                    .path = fill_path(path, values),
                    .query = values.query,
                    .body = bare ? "" : dump_json(values.body),
                })
            );
            LAB_CHECK(print_answer(in.console, in.settings.output, answer, columns));
            return 0;
        }
    );
}

void ApiCommand::removes(const Choose& choose, std::string path, std::string what) {
    force();
    does(
        choose,
        [path = std::move(path), what = std::move(what)](
            const Invocation& in, ApiClient& client, ApiValues& values
        ) -> Result<int> {
            const std::string target = fill_path(path, values);
            const std::string name = what + " " + target.substr(target.rfind('/') + 1);
            if (!values.force) {
                LAB_TRY(
                    const bool agreed,
                    confirm(in, "Delete " + name + " in " + client.transport().where() + "?")
                );
                if (!agreed) {
                    note(in.console, "nothing was deleted");
                    return 1;
                }
            }
            LAB_CHECK(client.call({.method = "DELETE", .path = target}));
            note(in.console, "deleted " + name);
            return 0;
        }
    );
}

}  // namespace lab::cli
