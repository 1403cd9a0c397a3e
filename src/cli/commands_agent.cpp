#include "base/text.h"
#include "cli/nouns.h"
#include "platform/json/schema.h"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <fstream>

namespace lab::cli {
namespace {

constexpr std::size_t kInputBytesMax = 64U << 20;
const std::string kHypothesis = "/api/v1/agents/hypothesis";
const std::string kMetric = "/api/v1/agents/metric";

const Columns kAgents = {
    {.title = "id", .member = "id"},
    {.title = "status", .member = "status"},
    {.title = "endpoint", .member = "endpoint"},
    {.title = "description", .member = "description"},
};

struct Input {
    std::string path;
    bool from_stdin = false;
};

/// The request of an analysis: from a file or standard input.
Result<Json> read_input(const Input& input) {
    if (input.from_stdin == !input.path.empty()) {
        return Error(Code::validation, "say where the input is: either -i FILE or --stdin");
    }
    std::FILE* file = input.from_stdin ? stdin : std::fopen(input.path.c_str(), "rb");
    if (file == nullptr) {
        return Error(Code::not_found, "cannot read " + input.path);
    }
    std::string text;
    char piece[1U << 16U];
    while (text.size() <= kInputBytesMax) {
        const std::size_t n = std::fread(piece, 1, sizeof piece, file);
        if (n == 0) {
            break;
        }
        text.append(piece, n);
    }
    if (file != stdin) {
        std::fclose(file);
    }
    auto parsed = parse_json(text, {.bytes_max = kInputBytesMax});
    if (!parsed) {
        return Error(
            Code::validation,
            (input.from_stdin ? "standard input" : input.path) + ": " + parsed.error().message
        );
    }
    return parsed;
}

using Work = std::function<Result<int>(const Invocation&, ApiClient&, const Json&)>;

void add_with_input(
    CLI::App& parent,
    const Choose& choose,
    const std::string& name,
    const std::string& help,
    const Work& work
) {
    const auto input = std::make_shared<Input>();
    CLI::App* command = parent.add_subcommand(name, help);
    command->add_option("-i,--input", input->path, "File with the request as JSON")
        ->type_name("FILE");
    command->add_flag("--stdin", input->from_stdin, "The request is on standard input");
    const std::string call = "llm-research agents " + parent.get_name() + " " + name;
    command->footer(examples({call + " -i request.json", call + " --stdin < request.json"}));
    command->callback([choose, input, work] {
        choose([input, work](const Invocation& in) -> Result<int> {
            LAB_TRY(const Json request, read_input(*input));
            LAB_TRY(ApiClient * client, api_of(in));
            return work(in, *client, request);
        });
    });
}

Work posts_to(const std::string& path) {
    return [path](const Invocation& in, ApiClient& client, const Json& request) -> Result<int> {
        LAB_TRY(const Json answer, client.post(path, request));
        LAB_CHECK(print_answer(in.console, in.settings.output, answer, {}));
        return 0;
    };
}

/// Against the schema that the analysis itself shows; nothing is computed.
Result<int> do_validate(const Invocation& in, ApiClient& client, const Json& request) {
    LAB_TRY(const Json about, client.get(kHypothesis));
    const std::vector<Detail> problems =
        check_schema(request, about.value("input_schema", Json::object()));
    if (!problems.empty()) {
        return Error(Code::validation, "this is no request for the analysis", problems);
    }
    note(in.console, "the request is valid");
    return 0;
}

Result<int> do_info(const Invocation& in, ApiClient& client, ApiValues& values) {
    LAB_TRY(const Json all, client.get("/api/v1/agents"));
    std::vector<std::string> ids;
    for (const Json& one : all.value("agents", Json::array())) {
        ids.push_back(one.value("id", ""));
        if (ids.back() == values.arguments["ID"]) {
            LAB_CHECK(print_answer(in.console, in.settings.output, one, {}));
            return 0;
        }
    }
    return Error(
        Code::not_found,
        "there is no analysis \"" + shorten(values.arguments["ID"], 64) + "\": there are " +
            join(ids, ", ")
    );
}

}  // namespace

void add_agent_commands(CLI::App& app, const Choose& choose) {
    CLI::App* agents = app.add_subcommand("agents", "Analyses of data that you give");
    agents->alias("agent");
    agents->require_subcommand(1);
    agents->footer(examples({"llm-research agents list"}));
    CLI::App* hypothesis = agents->add_subcommand("hypothesis", "Test a hypothesis");
    hypothesis->require_subcommand(1);
    hypothesis->footer(examples({"llm-research agents hypothesis evaluate -i request.json"}));
    add_with_input(*hypothesis, choose, "evaluate", "Test it", posts_to(kHypothesis));
    add_with_input(
        *hypothesis, choose, "validate", "Check the request without computing", do_validate
    );
    ApiCommand(*hypothesis, "inspect", "What it accepts and answers")
        .sample({"llm-research agents hypothesis inspect -o json"})
        .sends(choose, "GET", kHypothesis);
    CLI::App* metric = agents->add_subcommand("metric", "Compute figures");
    metric->require_subcommand(1);
    metric->footer(examples({"llm-research agents metric compute -i request.json"}));
    add_with_input(*metric, choose, "compute", "Compute them", posts_to(kMetric));
    ApiCommand(*metric, "inspect", "What it accepts and answers")
        .sample({"llm-research agents metric inspect -o json"})
        .sends(choose, "GET", kMetric);
    ApiCommand(*agents, "list", "The analyses there are")
        .sample({"llm-research agents list"})
        .does(choose, [](const Invocation& in, ApiClient& client, ApiValues&) -> Result<int> {
            LAB_TRY(const Json all, client.get("/api/v1/agents"));
            const bool whole = in.settings.output == "json" || in.settings.output == "yaml";
            LAB_CHECK(print_answer(
                in.console,
                in.settings.output,
                whole ? all : all.value("agents", Json::array()),
                kAgents
            ));
            return 0;
        });
    ApiCommand(*agents, "info", "One of them")
        .id("ID", "Its id")
        .sample({"llm-research agents info hypothesis"})
        .does(choose, do_info);
}

}  // namespace lab::cli
