#include "cli/remote_report.h"

#include "report/write.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

namespace lab::cli {
namespace {

namespace fs = std::filesystem;

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

/// As a whole or not at all.
Status save_report(ApiClient& client, const ApiRequest& request, const std::string& path) {
    LAB_TRY(const report::Format format, report::format_of_path(path));
    std::error_code code;
    // A device or a pipe is written into; in the place of one there must be no file.
    const bool in_place = fs::exists(path, code) && !fs::is_regular_file(path, code);
    const std::string temporary = in_place ? path : path + ".tmp";
    const auto cannot = [&](int number) {
        return Error(Code::io, "cannot write " + path + ": " + std::strerror(number));
    };
    std::FILE* file = std::fopen(temporary.c_str(), "wb");
    if (file == nullptr) {
        return cannot(errno);
    }
    const Status got = stream_report(client, request, format, file);
    const int number = std::fclose(file) == 0 ? 0 : errno;
    code.clear();
    if (got && number == 0) {
        if (!in_place) {
            fs::rename(temporary, path, code);
        }
        return code ? Status(cannot(code.value())) : ok();
    }
    if (!in_place) {
        fs::remove(temporary, code);
    }
    if (!got && got.error().code == Code::io) {
        return Error(Code::io, path + ": " + got.error().message);
    }
    return got ? Status(cannot(number)) : got;
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
