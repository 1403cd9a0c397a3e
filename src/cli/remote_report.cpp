#include "cli/remote_report.h"

#include "cli/save_file.h"
#include "report/write.h"

#include <cstdio>

namespace lab::cli {
namespace {

/// The name of a format of a report in the API's query.
std::string_view format_name(report::Format format) {
    switch (format) {
        case report::Format::html:
            return "html";
        case report::Format::json:
            return "json";
        case report::Format::yaml:
            return "yaml";
        case report::Format::csv:
            return "csv";
        case report::Format::comparisons_csv:
            return "comparisons-csv";
        case report::Format::items_csv:
            return "items-csv";
        case report::Format::markdown:
            return "md";
        case report::Format::junit:
            return "junit";
        case report::Format::text:
            return "text";
        case report::Format::compact:
            return "compact";
    }
    return "json";
}

report::Format printed_format(const std::string& output) {
    return output == "json"      ? report::Format::json
           : output == "yaml"    ? report::Format::yaml
           : output == "csv"     ? report::Format::csv
           : output == "compact" ? report::Format::compact
                                 : report::Format::text;
}

/// A report as it comes, into a file that is open.
Status stream_report(
    ApiClient& client, ApiRequest request, report::Format format, std::FILE* file
) {
    request.query.emplace_back("format", std::string(format_name(format)));
    Status written = ok();
    const auto got = client.stream(std::move(request), [&](std::string_view piece) {
        written = write_all(file, piece);
        return written.has_value();
    });
    LAB_CHECK(written);
    LAB_CHECK(got);
    return ok();
}

Status save_report(ApiClient& client, const ApiRequest& request, const std::string& path) {
    LAB_TRY(const report::Format format, report::format_of_path(path));
    return save_file(path, [&](std::FILE* file) {
        return stream_report(client, request, format, file);
    });
}

}  // namespace

Status deliver_remote(
    const Invocation& in,
    ApiClient& client,
    const ApiRequest& request,
    const std::vector<std::string>& paths
) {
    LAB_CHECK(stream_report(client, request, printed_format(in.settings.output), in.console.out));
    std::vector<std::string> all = paths;
    all.insert(all.end(), in.save.begin(), in.save.end());
    Status saved = ok();
    for (const std::string& path : all) {
        if (Status one = save_report(client, request, path); one) {
            note(in.console, "report: " + path);
        } else {
            saved = std::move(one);
        }
    }
    return saved;
}

Result<bool> remote_gates_passed(ApiClient& client, const std::string& run_path) {
    // The figures without the samples; a name of the top level stands at the beginning of a line.
    static constexpr std::string_view kName = "\ngates_passed: ";
    std::string seen = "\n";
    bool passed = true;
    LAB_CHECK(client.stream(
        {.path = run_path + "/report", .query = {{"format", "yaml"}}},
        [&](std::string_view piece) {
            seen += piece;
            if (const std::size_t at = seen.find(kName);
                at != seen.npos && seen.size() > at + kName.size()) {
                passed = seen[at + kName.size()] == 't';
                return false;
            }
            seen.erase(0, seen.size() - std::min(seen.size(), kName.size()));
            return true;
        }
    ));
    return passed;
}

}  // namespace lab::cli
