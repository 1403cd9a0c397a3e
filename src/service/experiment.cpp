#include "service/experiment.h"

#include "base/text.h"
#include "platform/json/document.h"
#include "service/datasets.h"
#include "storage/store/datasets.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>

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

void keep_details(const Error& error, const std::string& fallback, std::vector<Detail>& problems) {
    if (error.details.empty()) {
        problems.push_back({fallback, error.message});
    }
    problems.insert(problems.end(), error.details.begin(), error.details.end());
}

/// The dataset of the spec: imported from its path, or looked up by its name.
Result<domain::DatasetVersion> find_dataset(
    const Ctx& ctx, const Deps& deps, const domain::ExperimentSpec& spec, const std::string& folder
) {
    if (!spec.dataset.ref.empty()) {
        return get_dataset(ctx, deps, spec.dataset.ref);
    }
    return import_dataset(
        ctx,
        deps,
        {.path = absolute_to(folder, spec.dataset.path), .format = spec.dataset.format, .name = {}}
    );
}

/// What every row of some rows must have.
struct Needed {
    std::string path;  ///< of the spec, where it is asked for
    std::string field;
    bool list = false;  ///< and it must be a list with something in it
};

/// Reports the first row that lacks what is needed, once for each need.
/// `row_of`: the row's number (0-based) of place 0..count.
void check_rows(
    const engine::Items& items,
    std::int64_t count,
    const std::function<std::int64_t(std::int64_t)>& row_of,
    const std::vector<Needed>& needed,
    std::vector<Detail>& problems
) {
    std::vector<bool> missing(needed.size());
    std::vector<std::string> known;
    for (std::int64_t place = 0; place < count; ++place) {
        const Json row = items.load_row(row_of(place));
        if (place == 0) {
            for (const auto& [name, value] : row.items()) {
                known.push_back(name);
            }
        }
        const std::string where = "row " + std::to_string(row_of(place) + 1) + " of the dataset";
        for (std::size_t i = 0; i < needed.size(); ++i) {
            const Needed& need = needed[i];
            const Json* value = science::find_variable(row, need.field);
            const bool there = value != nullptr && !value->is_null();
            if (missing[i] || (there && (!need.list || (value->is_array() && !value->empty())))) {
                continue;
            }
            missing[i] = true;
            std::string words;
            if (there) {
                words = where + ": the field \"" + need.field + "\" is not a list of references";
            } else {
                words = where + " has no field \"" + need.field + "\"";
                const std::string near = nearest(need.field, known);
                if (!near.empty() && near != need.field) {
                    words += ", did you mean \"" + near + "\"?";
                } else if (place == 0) {
                    words += "; its fields are " + shorten(join(known, ", "), 300);
                }
            }
            problems.push_back({need.path, std::move(words)});
        }
        if (std::ranges::find(missing, false) == missing.end()) {
            return;
        }
    }
}

/// Every variable of the prompts and references must be a field of every row it is used with.
void check_fields(const Experiment& experiment, std::vector<Detail>& problems) {
    const engine::Items& items = *experiment.items;
    std::vector<Needed> of_items;
    std::map<const std::vector<std::int64_t>*, std::vector<Needed>> of_examples;
    for (const engine::Renderer::Variable& variable : experiment.renderer->variables()) {
        (variable.rows == nullptr ? of_items : of_examples[variable.rows])
            .push_back({variable.path, variable.name});
    }
    for (const Detail& detail : experiment.scores->needed_fields()) {
        of_items.push_back({detail.field, detail.message, detail.field.ends_with(".reference_list")}
        );
    }
    if (!experiment.spec.analysis.cluster.empty()) {
        of_items.push_back({"analysis.cluster", experiment.spec.analysis.cluster});
    }
    check_rows(
        items,
        items.count(),
        [&](std::int64_t place) { return items.row_of(place); },
        of_items,
        problems
    );
    for (const auto& [rows, needed] : of_examples) {
        check_rows(
            items,
            static_cast<std::int64_t>(rows->size()),
            [&](std::int64_t place) { return (*rows)[static_cast<std::size_t>(place)]; },
            needed,
            problems
        );
    }
}

void check_budget(const Experiment& experiment, std::vector<Detail>& problems) {
    const domain::Budget& budget = experiment.spec.run.budget;
    if (!budget.max_cost && !budget.max_tokens) {
        return;
    }
    for (std::size_t v = 0; v < experiment.spec.variants.size(); ++v) {
        const domain::Variant& variant = experiment.spec.variants[v];
        const domain::ModelSpec& model = experiment.spec.models[variant.model];
        if (model.provider == "replay") {
            continue;
        }
        const std::string path = "models[" + std::to_string(variant.model) + "]";
        const Json& parameters = variant.parameters;
        if (!parameters.contains("max_tokens") && !parameters.contains("max_completion_tokens")) {
            problems.push_back(
                {path + ".parameters",
                 "a hard budget needs max_tokens, so that the most a call can cost is known"}
            );
        }
        if (budget.max_cost && !experiment.pricing[variant.model]) {
            problems.push_back(
                {path + ".pricing",
                 "run.budget.max_cost_usd needs prices, and none are known for "
                 "\"" +
                     model.model +
                     "\": set pricing.input_per_million and "
                     "pricing.output_per_million"}
            );
        }
    }
    std::ranges::sort(problems, {}, [](const Detail& d) { return d.field; });
    const auto repeated = std::ranges::unique(problems);
    problems.erase(repeated.begin(), repeated.end());
}

void check_models(
    const Deps& deps, Experiment& experiment, Purpose purpose, std::vector<Detail>& problems
) {
    for (std::size_t i = 0; i < experiment.spec.models.size(); ++i) {
        for (Detail& detail :
             deps.check_model(experiment.spec.models[i], "models[" + std::to_string(i) + "]")) {
            const bool key = detail.field.ends_with("api_key_env");
            if (purpose == Purpose::validate && key) {
                experiment.warnings.push_back(detail.message);
            } else {
                problems.push_back(std::move(detail));
            }
        }
    }
}

/// Opens and checks everything behind a parsed spec. `problems` collects what is wrong; the rest of
/// the checks goes on as far as it can.
Status open_parts(
    const Ctx& ctx,
    const Deps& deps,
    const std::string& dataset_hash,
    Purpose purpose,
    Experiment& experiment,
    std::vector<Detail>& problems
) {
    for (domain::ModelSpec& model : experiment.spec.models) {
        if (model.replay) {
            model.replay->path = absolute_to(experiment.base_folder, model.replay->path);
        }
        experiment.pricing.push_back(deps.find_pricing(model));
    }
    if (auto scores = engine::ScoreBook::make(experiment.spec)) {
        experiment.scores = std::make_unique<engine::ScoreBook>(std::move(*scores));
    } else {
        keep_details(scores.error(), "scorers", problems);
    }
    if (purpose != Purpose::report) {
        check_models(deps, experiment, purpose, problems);
        check_budget(experiment, problems);
    }
    auto dataset = dataset_hash.empty()
                       ? find_dataset(ctx, deps, experiment.spec, experiment.base_folder)
                       : get_dataset(ctx, deps, dataset_hash);
    if (!dataset) {
        if (dataset.error().code == Code::io) {
            return dataset.error();
        }
        const char* field = experiment.spec.dataset.ref.empty() ? "dataset.path" : "dataset.ref";
        for (const Detail& detail : dataset.error().details) {
            problems.push_back({field, dataset.error().message + ": " + detail.message});
        }
        if (dataset.error().details.empty()) {
            problems.push_back({field, dataset.error().message});
        }
        return ok();
    }
    experiment.dataset = std::move(*dataset);
    LAB_TRY(storage::ObjectFolder * objects, deps.objects());
    LAB_TRY(
        storage::DatasetFile file,
        storage::DatasetFile::open(objects->path_of(experiment.dataset.content_hash))
    );
    auto items = engine::Items::select(std::move(file), experiment.spec.dataset);
    if (!items) {
        keep_details(items.error(), "dataset", problems);
        return ok();
    }
    experiment.items = std::make_unique<engine::Items>(std::move(*items));
    auto renderer = engine::Renderer::make(experiment.spec, *experiment.items);
    if (!renderer) {
        keep_details(renderer.error(), "prompts", problems);
        return ok();
    }
    experiment.renderer = std::make_unique<engine::Renderer>(std::move(*renderer));
    experiment.plan = std::make_unique<engine::Plan>(experiment.spec, experiment.items->count());
    if (experiment.scores && purpose != Purpose::report) {
        check_fields(experiment, problems);
    }
    return ok();
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
    auto spec = domain::parse_spec(document->value, *deps.vocabulary);
    if (!spec) {
        return located(path, document->map, spec.error().details);
    }
    auto experiment = std::make_unique<Experiment>();
    experiment->spec = std::move(*spec);
    experiment->base_folder = fs::absolute(fs::path(path)).parent_path().string();
    std::vector<Detail> problems;
    LAB_CHECK(open_parts(ctx, deps, "", purpose, *experiment, problems));
    if (!problems.empty()) {
        return located(path, document->map, std::move(problems));
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
    std::vector<Detail> problems;
    LAB_CHECK(open_parts(ctx, deps, dataset_hash, purpose, *experiment, problems));
    if (!problems.empty()) {
        return Error(
            Code::validation, "the stored experiment cannot be opened any more", std::move(problems)
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
