#include "service/experiment.h"

#include "platform/json/document.h"
#include "service/datasets.h"
#include "service/impl/experiment_check.h"
#include "service/scratch.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

namespace lab::service {
namespace {

namespace fs = std::filesystem;
constexpr std::size_t kFileBytesMax = 8U << 20;

Result<std::string> read_file(const std::string& path) {
    std::error_code code;
    const fs::file_status status = fs::status(path, code);
    if (!fs::exists(status)) {
        return Error(Code::not_found, "there is no file " + path);
    }
    if (fs::is_directory(status)) {
        return Error(Code::bad_request, path + " is a folder, not an experiment file");
    }
    std::ifstream file(path, std::ios::binary);
    if (!file) {
        return Error(Code::io, "cannot read " + path + ": check its permissions");
    }
    std::string text;
    char buffer[1 << 16];
    while (file.read(buffer, sizeof buffer) || file.gcount() > 0) {
        text.append(buffer, static_cast<std::size_t>(file.gcount()));
        if (text.size() > kFileBytesMax) {
            return Error(
                Code::payload_too_large,
                path +
                    " is larger than 8 MiB: an experiment file holds no data, name it in "
                    "dataset.path"
            );
        }
    }
    return text;
}

std::string absolute_to(const std::string& folder, const std::string& path) {
    const fs::path given(path);
    return given.is_absolute() ? path : (fs::path(folder) / given).lexically_normal().string();
}

/// Whether the file is to be mended, and not the machine.
bool is_mistake(Code code) {
    return code == Code::validation || code == Code::not_found || code == Code::bad_request ||
           code == Code::payload_too_large;
}

/// The rows of an experiment: how they are described and where they are.
struct Opened {
    domain::DatasetVersion version;
    std::string path;
    std::optional<ScratchFolder> scratch;  ///< where they are when they are not kept
};

Result<Opened> open_stored(
    const Ctx& ctx, const Deps& deps, storage::Database& database, const std::string& ref
) {
    Opened out;
    LAB_TRY(out.version, get_dataset(ctx, database, ref));
    LAB_TRY(storage::ObjectFolder * objects, deps.objects());
    LAB_TRY(out.path, objects->fetch(ctx, storage::rows_object(out.version.content_hash)));
    return out;
}

/// Reads the file into the store when the run will need it, and only for now otherwise.
Result<Opened> open_file(
    const Ctx& ctx, const Deps& deps, const ImportRequest& request, bool keep
) {
    Opened out;
    if (keep) {
        LAB_TRY(out.version, import_dataset(ctx, deps, request));
        LAB_TRY(storage::ObjectFolder * objects, deps.objects());
        out.path = objects->path_of(out.version.content_hash);
        return out;
    }
    LAB_TRY(out.scratch, ScratchFolder::make(deps.scratch_folder));
    const std::string& folder = out.scratch->path();
    const storage::ObjectFolder objects(folder);
    auto version = read_dataset(ctx, deps, objects, request);
    if (!version && version.error().message.find(folder) != std::string::npos) {
        return Error(
            Code::io,
            "cannot keep the rows in " + deps.scratch_folder +
                " while they are checked: free some space there, or set TMPDIR to another folder"
        );
    }
    LAB_TRY(out.version, std::move(version));
    out.path = objects.path_of(out.version.content_hash);
    return out;
}

/// The dataset of the spec: read from its path, or looked up by its name. `keep`: the store may be
/// changed.
Result<Opened> open_dataset(
    const Ctx& ctx, const Deps& deps, const Experiment& experiment, bool keep
) {
    const domain::DatasetSpec& spec = experiment.spec.dataset;
    if (spec.ref.empty()) {
        const std::string path = absolute_to(experiment.base_folder, spec.path);
        return open_file(ctx, deps, {.path = path, .format = spec.format, .name = {}}, keep);
    }
    const auto& open = keep || !deps.database_to_read ? deps.database : deps.database_to_read;
    LAB_TRY(storage::Database * database, open(ctx));
    return open_stored(ctx, deps, *database, spec.ref);
}

/// Where recorded outputs are. Those of a registered model are an object, which may have to come to
/// this machine first.
Result<std::string> replay_path(
    const Ctx& ctx,
    const Deps& deps,
    const std::string& base_folder,
    const domain::ReplaySpec& replay
) {
    const std::string path = absolute_to(base_folder, replay.path);
    LAB_TRY(const storage::ObjectFolder* const objects, deps.objects());
    const std::string hash = objects->has_store() ? storage::hash_of_path(path) : "";
    return hash.empty() ? Result<std::string>(path)
                        : objects->fetch(ctx, storage::rows_object(hash));
}

/// Opens and checks everything behind a spec that is read, as far as it goes. Errors: what is wrong
/// with the machine and not with the file, unless the file has problems as well: then they come
/// first, because they can be mended here.
Status open_parts(
    const Ctx& ctx,
    const Deps& deps,
    const std::string& dataset_hash,
    Purpose purpose,
    Experiment& experiment,
    Problems& problems
) {
    for (domain::ModelSpec& model : experiment.spec.models) {
        if (model.replay) {
            LAB_TRY(
                model.replay->path, replay_path(ctx, deps, experiment.base_folder, *model.replay)
            );
        }
        experiment.pricing.push_back(deps.find_pricing(model));
    }
    const std::vector<Detail> needed = make_scores(experiment, problems);
    check_templates(experiment.spec, problems);
    if (purpose != Purpose::report) {
        check_models(deps, purpose, experiment, problems);
        check_replays(deps, experiment.spec, problems);
    }
    const domain::DatasetSpec& spec = experiment.spec.dataset;
    const std::string place = spec.ref.empty() ? "dataset.path" : "dataset.ref";
    const bool stored = !dataset_hash.empty();
    if (!stored && problems.has(place)) {
        return ok();
    }
    const auto open = [&]() -> Result<Opened> {
        if (!stored) {
            // A run that is refused leaves the store as it was.
            const bool keep = purpose != Purpose::validate && problems.empty();
            return open_dataset(ctx, deps, experiment, keep);
        }
        LAB_TRY(storage::Database * database, deps.database(ctx));
        return open_stored(ctx, deps, *database, dataset_hash);
    };
    auto opened = open();
    if (!opened) {
        const Error& error = opened.error();
        if (!is_mistake(error.code) && problems.empty()) {
            return error;
        }
        if (problems.unread().covers("dataset.format")) {
            return ok();
        }
        for (const Detail& detail : error.details) {
            problems.add(place, error.message + ": " + detail.message);
        }
        if (error.details.empty()) {
            problems.add(place, error.message);
        }
        return ok();
    }
    experiment.dataset = std::move(opened->version);
    return check_rows(
        opened->path, purpose == Purpose::report ? nullptr : &needed, experiment, problems
    );
}

std::string at(const std::string& file, Mark mark) {
    return mark.line == 0
               ? file
               : file + ":" + std::to_string(mark.line) + ":" + std::to_string(mark.column);
}

/// Paths of the spec become places in the file, in the order of the file.
Error located(const std::string& file, const SourceMap& map, std::vector<Detail> problems) {
    std::vector<std::pair<Mark, Detail>> placed;
    for (Detail& problem : problems) {
        const bool key = problem.message.starts_with("unknown key");
        const Mark mark = key ? map.locate_key(problem.field) : map.locate(problem.field);
        placed.emplace_back(mark, Detail{at(file, mark), std::move(problem.message)});
    }
    std::ranges::sort(placed, [](const auto& a, const auto& b) {
        return std::tie(a.first.line, a.first.column, a.second.message) <
               std::tie(b.first.line, b.first.column, b.second.message);
    });
    const auto repeated = std::ranges::unique(placed);
    placed.erase(repeated.begin(), repeated.end());
    const std::size_t count = placed.size();
    Error error(
        Code::validation,
        file + " has " + std::to_string(count) + (count == 1 ? " problem" : " problems")
    );
    for (auto& [mark, detail] : placed) {
        error.details.push_back(std::move(detail));
    }
    return error;
}

}  // namespace

Result<std::unique_ptr<Experiment>> load_experiment_file(
    const Ctx& ctx, const Deps& deps, const std::string& path, Purpose purpose
) {
    LAB_TRY(const std::string text, read_file(path));
    auto document = parse_yaml(text);
    if (!document) {
        Error error(document.error().code, path + " is not a valid experiment file");
        error.details.push_back({path + ":" + document.error().message, ""});
        return error;
    }
    domain::ParsedSpec parsed = domain::read_spec(document->value, *deps.vocabulary);
    Problems problems(std::move(parsed.problems));
    auto experiment = std::make_unique<Experiment>();
    experiment->spec = std::move(parsed.spec);
    experiment->base_folder = fs::absolute(fs::path(path)).parent_path().string();
    LAB_CHECK(open_parts(ctx, deps, "", purpose, *experiment, problems));
    if (!problems.empty()) {
        return located(path, document->map, problems.take());
    }
    return experiment;
}

Result<std::unique_ptr<Experiment>> load_stored_experiment(
    const Ctx& ctx,
    const Deps& deps,
    const Json& source,
    const std::string& base_folder,
    const std::string& dataset_hash,
    Purpose purpose
) {
    auto experiment = std::make_unique<Experiment>();
    LAB_TRY(experiment->spec, domain::parse_spec(source, *deps.vocabulary));
    experiment->base_folder = base_folder;
    Problems problems({});
    LAB_CHECK(open_parts(ctx, deps, dataset_hash, purpose, *experiment, problems));
    if (!problems.empty()) {
        return Error(
            Code::validation, "the stored experiment cannot be opened any more", problems.take()
        );
    }
    return experiment;
}

Result<Forecast> forecast(const Experiment& experiment) {
    constexpr std::int64_t kProbeMax = 200;
    Forecast out;
    out.cost_max = Money();
    const domain::ExperimentSpec& spec = experiment.spec;
    const std::int64_t items = experiment.items->count();
    const std::int64_t probes = std::min(items, kProbeMax);
    for (const domain::Variant& variant : spec.variants) {
        Forecast::Row row{.variant = variant.id, .calls = items * spec.run.repetitions};
        std::int64_t bytes = 0;
        for (std::int64_t i = 0; i < probes; ++i) {
            const std::int64_t item = i * items / probes;
            LAB_TRY(
                const std::vector<domain::Message> messages,
                experiment.renderer->render(variant.prompt, experiment.items->load(item), item)
            );
            for (const domain::Message& message : messages) {
                bytes += static_cast<std::int64_t>(message.content.size()) + 12;
            }
        }
        // Four bytes a token is the usual rule of thumb for English; it is an estimate and is
        // printed as one.
        row.input_tokens = bytes / 4 * row.calls / probes;
        const Json& p = variant.parameters;
        for (const char* key : {"max_tokens", "max_completion_tokens"}) {
            if (p.contains(key) && p[key].is_number_integer()) {
                row.output_tokens_max = p[key].get<std::int64_t>() * row.calls;
            }
        }
        const auto& pricing = experiment.pricing[variant.model];
        if (spec.models[variant.model].provider == "replay") {
            row.cost_max = Money();
        } else if (pricing && row.output_tokens_max) {
            domain::Usage usage;
            usage.input = row.input_tokens;
            usage.output = *row.output_tokens_max;
            row.cost_max = domain::cost_of(usage, *pricing);
        }
        out.calls += row.calls;
        out.input_tokens += row.input_tokens;
        out.cost_max = out.cost_max && row.cost_max ? std::optional(*out.cost_max + *row.cost_max)
                                                    : std::nullopt;
        out.rows.push_back(std::move(row));
    }
    return out;
}

}  // namespace lab::service
