#include "base/text.h"
#include "cli/commands.h"
#include "cli/save_file.h"
#include "report/terminal.h"
#include "report/write.h"
#include "service/runs.h"

#include <CLI/CLI.hpp>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace lab::cli {
namespace {

Status save_report(const service::RunReport& made, const std::string& path) {
    LAB_TRY(const report::Format format, report::format_of_path(path));
    return save_file(path, [&](std::FILE* file) {
        return report::write(made.report, made.items.get(), format, [&](std::string_view text) {
            // Not flushed for each piece: a report has one for each item.
            return std::fwrite(text.data(), 1, text.size(), file) == text.size()
                       ? ok()
                       : Status(Error(Code::io, std::strerror(errno)));
        });
    });
}

Status print_report(
    const Invocation& in, const service::RunReport& made, const std::vector<std::string>& saved
) {
    const report::Sink sink = [&](std::string_view text) {
        return write_all(in.console.out, text);
    };
    const std::string& output = in.settings.output;
    if (output == "json") {
        return report::write(made.report, made.items.get(), report::Format::json, sink);
    }
    if (output == "yaml") {
        return report::write(made.report, made.items.get(), report::Format::yaml, sink);
    }
    if (output == "csv") {
        return report::write(made.report, made.items.get(), report::Format::csv, sink);
    }
    if (output == "compact") {
        return report::write_compact(made.report, sink);
    }
    const report::TerminalOptions options{
        .width = in.console.width,
        .color = in.console.color,
        .saved = saved,
    };
    return report::write_terminal(made.report, options, sink);
}

Result<int> do_report(const Invocation& in, const std::vector<std::string>& ids) {
    bool gates_passed = true;
    LAB_CHECK(deliver_report(in, ids, {}, gates_passed));
    return gates_passed ? 0 : 100;
}

Table runs_table(const std::vector<domain::Run>& runs) {
    Table table{
        .columns = {"id", "experiment", "run", "state", "samples", "created"},
        .rows = {},
        .numeric = {false, false, true, false, true, false},
    };
    for (const domain::Run& run : runs) {
        table.rows.push_back(
            {run.id,
             run.experiment_name,
             std::to_string(run.number),
             std::string(to_string(run.state)),
             std::to_string(run.planned),
             run.created_at}
        );
    }
    return table;
}

Result<int> do_list(const Invocation& in, std::int64_t limit) {
    LAB_TRY(service::Deps * services, in.services());
    LAB_TRY(
        const std::vector<domain::Run> runs,
        service::list_runs(Ctx(*services->clock), *services, limit)
    );
    LAB_CHECK(print_table(in.console, runs_table(runs), in.settings.output));
    return 0;
}

Result<int> do_get(const Invocation& in, const std::string& id, bool cancel) {
    LAB_TRY(service::Deps * services, in.services());
    const Ctx ctx(*services->clock);
    LAB_TRY(
        const domain::Run run,
        cancel ? service::cancel_run(ctx, *services, id) : service::get_run(ctx, *services, id)
    );
    const std::vector<Field> fields = {
        {"id", run.id},
        {"experiment", run.experiment_name},
        {"number", std::to_string(run.number), true},
        {"state", std::string(to_string(run.state))},
        {"why", run.stop_reason},
        {"samples", std::to_string(run.planned), true},
        {"dataset", run.dataset_hash},
        {"created", run.created_at},
        {"started", run.started_at},
        {"completed", run.completed_at},
        {"manifest", run.manifest, true},
    };
    LAB_CHECK(print_fields(in.console, fields, in.settings.output));
    return 0;
}

}  // namespace

Status check_report_paths(const std::vector<std::string>& paths) {
    for (const std::string& path : paths) {
        LAB_CHECK(report::format_of_path(path));
        const auto refused = [&](const std::string& why) {
            return Error(Code::validation, "cannot write the report " + path + ": " + why);
        };
        const std::string folder = std::filesystem::path(path).parent_path().string();
        std::error_code code;
        if (!folder.empty() && !std::filesystem::is_directory(folder, code)) {
            return refused("there is no folder " + folder);
        }
        if (std::filesystem::is_directory(path, code)) {
            return refused("it is a folder");
        }
        if (::access(folder.empty() ? "." : folder.c_str(), W_OK | X_OK) != 0) {
            return refused(std::strerror(errno));
        }
    }
    return ok();
}

Status deliver_report(
    const Invocation& in,
    const std::vector<std::string>& ids,
    const std::vector<std::string>& extra_paths,
    bool& gates_passed
) {
    std::vector<std::string> paths = in.save;
    paths.insert(paths.end(), extra_paths.begin(), extra_paths.end());
    LAB_TRY(service::Deps * services, in.services());
    LAB_TRY(
        const std::unique_ptr<service::RunReport> made,
        service::report_runs(Ctx(*services->clock), *services, ids)
    );
    Status saved = ok();
    std::vector<std::string> written;
    for (const std::string& path : paths) {
        if (Status one = save_report(*made, path); !one) {
            if (!saved) {
                print_error(in.console, saved.error());
            }
            saved = std::move(one);
            continue;
        }
        written.push_back(path);
        if (in.settings.output != "table") {
            note(in.console, "report: " + path);
        }
    }
    LAB_CHECK(print_report(in, *made, written));
    gates_passed = made->report.gates_passed();
    return saved;
}

void add_result_commands(CLI::App& app, const Choose& choose) {
    const auto ids = std::make_shared<std::vector<std::string>>();
    CLI::App* report = app.add_subcommand("report", "Print or save the report of a run");
    report->add_option("RUN", *ids, "Id, the beginning of an id, or `last`")
        ->required()
        ->expected(1);
    report->footer(examples({
        "llm-research report last",
        "llm-research report last --save report.html --save report.md",
    }));
    report->callback([choose, ids] {
        choose([ids](const Invocation& in) { return do_report(in, *ids); });
    });

    CLI::App* compare = app.add_subcommand(
        "compare", "Hold runs on the same items against each other; the first is the baseline"
    );
    compare->add_option("RUN", *ids, "Two or more runs")->required()->expected(2, 20);
    compare->footer(examples({"llm-research compare 3f2a 91bc", "llm-research compare 3f2a last"}));
    compare->callback([choose, ids] {
        choose([ids](const Invocation& in) { return do_report(in, *ids); });
    });

    CLI::App* runs = app.add_subcommand("runs", "List, show and cancel runs");
    runs->require_subcommand(1);
    const auto limit = std::make_shared<std::int64_t>(20);
    CLI::App* list = runs->add_subcommand("list", "The newest runs");
    list->add_option("-l,--limit", *limit, "How many")->check(CLI::Range(1, 10'000));
    list->footer(examples({"llm-research runs list", "llm-research runs list -l 5 -o json"}));
    list->callback([choose, limit] {
        choose([limit](const Invocation& in) { return do_list(in, *limit); });
    });
    const auto id = std::make_shared<std::string>();
    CLI::App* get = runs->add_subcommand("get", "One run and its manifest");
    get->add_option("RUN", *id, "Id, the beginning of an id, or `last`")->required();
    get->footer(examples({"llm-research runs get last"}));
    get->callback([choose, id] {
        choose([id](const Invocation& in) { return do_get(in, *id, false); });
    });
    CLI::App* cancel = runs->add_subcommand("cancel", "Mark a stopped run as not to be resumed");
    cancel->add_option("RUN", *id, "Id, the beginning of an id, or `last`")->required();
    cancel->footer(examples({"llm-research runs cancel 3f2a"}));
    cancel->callback([choose, id] {
        choose([id](const Invocation& in) { return do_get(in, *id, true); });
    });
    runs->footer(examples({"llm-research runs list", "llm-research runs get last"}));
}

}  // namespace lab::cli
