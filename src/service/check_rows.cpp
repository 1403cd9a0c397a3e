#include "base/text.h"
#include "platform/json/document.h"
#include "service/impl/experiment_check.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>

namespace lab::service {
namespace {

/// What rows must have.
struct Needed {
    std::string path;  ///< of the spec, where it is asked for
    std::string field;
    bool list = false;  ///< and it must be a list with something in it
};

enum class Found : std::uint8_t { yes, no, no_list };

Found find_in(const Json& row, const Needed& need) {
    const Json* value = science::find_variable(row, need.field);
    if (value == nullptr || value->is_null()) {
        return Found::no;
    }
    return need.list && (!value->is_array() || value->empty()) ? Found::no_list : Found::yes;
}

std::vector<std::string> names_of(const Json& row) {
    std::vector<std::string> names;
    for (const auto& [name, value] : row.items()) {
        names.push_back(name);
    }
    return names;
}

/// `list`: whether to say what there is when nothing is near.
std::string hint(const std::string& field, const std::vector<std::string>& known, bool list) {
    const std::string near = nearest(field, known);
    if (!near.empty() && near != field) {
        return ", did you mean \"" + near + "\"?";
    }
    return list ? "; its fields are " + shorten(join(known, ", "), 300) : "";
}

std::string name_of_row(std::int64_t row) {
    return "row " + std::to_string(row + 1) + " of the dataset";
}

/// Finds rows whose references no output can be scored against.
class ReferenceCheck {
  public:
    explicit ReferenceCheck(const engine::ScoreBook& scores) : scores_(scores) {}
    void take(std::int64_t row, const Json& value) {
        for (Detail& detail : scores_.check_references(value)) {
            Bad& bad = found_[std::move(detail.field)];
            if (++bad.rows == 1) {
                bad.first = name_of_row(row) + ": " + detail.message;
            }
        }
    }
    /// The first such row of each scorer, and how many there are among `count`.
    void report(std::int64_t count, Problems& problems) const {
        for (const auto& [path, bad] : found_) {
            const std::string more = bad.rows == 1 ? ""
                                                   : "; so it is in " + std::to_string(bad.rows) +
                                                         " of " + std::to_string(count) + " rows";
            problems.add(path, bad.first + more);
        }
    }

  private:
    struct Bad {
        std::int64_t rows = 0;
        std::string first;
    };
    const engine::ScoreBook& scores_;
    std::map<std::string, Bad> found_;
};

/// Reports the first row that lacks what is needed, once for each need.
/// `row_of`: the row's number (0-based) of place 0..count. `references`: is shown every row;
/// nullptr = nobody is.
void check_each_row(
    const engine::Items& items,
    std::int64_t count,
    const std::function<std::int64_t(std::int64_t)>& row_of,
    const std::vector<Needed>& needed,
    ReferenceCheck* references,
    Problems& problems
) {
    std::vector<bool> reported(needed.size());
    std::vector<std::string> known;
    for (std::int64_t place = 0; place < count; ++place) {
        const Json row = items.load_row(row_of(place));
        if (place == 0) {
            known = names_of(row);
        }
        const std::string where = name_of_row(row_of(place));
        if (references != nullptr) {
            references->take(row_of(place), row);
        }
        for (std::size_t i = 0; i < needed.size(); ++i) {
            const Needed& need = needed[i];
            const Found found = reported[i] ? Found::yes : find_in(row, need);
            if (found == Found::yes) {
                continue;
            }
            reported[i] = true;
            const std::string field = "field \"" + need.field + "\"";
            problems.add(
                need.path,
                found == Found::no_list
                    ? where + ": the " + field + " is not a list of references"
                    : where + " has no " + field + hint(need.field, known, place == 0)
            );
        }
        if (references == nullptr && std::ranges::find(reported, false) == reported.end()) {
            return;
        }
    }
}

/// Reports what no row of the dataset has.
void check_any_row(
    const storage::DatasetFile& file,
    const std::function<Json(std::int64_t)>& load,
    std::vector<Needed> needed,
    Problems& problems
) {
    std::vector<std::string> known;
    for (std::int64_t row = 0; row < file.rows() && !needed.empty(); ++row) {
        const Json value = load(row);
        if (row == 0) {
            known = names_of(value);
        }
        std::erase_if(needed, [&](const Needed& need) {
            return find_in(value, need) != Found::no;
        });
    }
    for (const Needed& need : needed) {
        problems.add(
            need.path,
            "no row of the dataset has a field \"" + need.field + "\"" +
                hint(need.field, known, true)
        );
    }
}

/// As it was imported: a new name is no field.
Json stored_row(const storage::DatasetFile& file, std::int64_t row) {
    auto parsed = parse_json(file.row(row));
    LAB_ASSERT(parsed.has_value(), "an imported row is valid JSON");
    return std::move(*parsed);
}

/// `dataset.fields` must lead to fields that there are.
void check_new_names(const engine::Items& items, Problems& problems) {
    std::vector<Needed> needed;
    for (const auto& [name, field] : items.spec().fields) {
        std::string path = path_member("dataset.fields", name);
        if (!problems.unread().covers(path)) {
            needed.push_back({std::move(path), field});
        }
    }
    const storage::DatasetFile& file = items.file();
    check_any_row(
        file, [&](std::int64_t row) { return stored_row(file, row); }, std::move(needed), problems
    );
}

/// Whether a name is missing because `dataset.fields`, where it may be given, is wrong.
bool is_new_name_in_doubt(const std::string& name, const Problems& problems) {
    const std::string first = name.substr(0, name.find('.'));
    return std::ranges::any_of(std::array{name, first}, [&](const std::string& key) {
        return problems.has(path_member("dataset.fields", key));
    });
}

/// Every variable of the prompts and references must be a field of every row it is used with, and
/// every reference one that outputs can be scored against (`scores`: nullptr = not checked).
void check_fields(
    const domain::ExperimentSpec& spec,
    const engine::Items& items,
    const engine::Renderer& renderer,
    const std::vector<Detail>& of_scorers,
    const engine::ScoreBook* scores,
    bool certain,
    Problems& problems
) {
    std::vector<Needed> of_items;
    std::map<const std::vector<std::int64_t>*, std::vector<Needed>> of_examples;
    const auto need = [&](std::vector<Needed>& where, Needed needed) {
        if (!is_new_name_in_doubt(needed.field, problems)) {
            where.push_back(std::move(needed));
        }
    };
    for (const engine::Renderer::Variable& variable : renderer.variables()) {
        const bool with_items = variable.rows == nullptr || !certain;
        need(with_items ? of_items : of_examples[variable.rows], {variable.path, variable.name});
    }
    for (const Detail& detail : of_scorers) {
        const bool list = detail.field.ends_with(".reference_list");
        need(of_items, {detail.field, detail.message, list});
    }
    if (!spec.analysis.cluster.empty()) {
        need(of_items, {"analysis.cluster", spec.analysis.cluster});
    }
    if (!certain) {
        const auto load = [&](std::int64_t row) { return items.load_row(row); };
        check_any_row(items.file(), load, std::move(of_items), problems);
        return;
    }
    const auto row_of = [&](std::int64_t place) { return items.row_of(place); };
    std::optional<ReferenceCheck> references;
    // A book that leaves out a broken scorer has other paths.
    if (scores != nullptr && scores->scorers() == spec.scorers.size()) {
        references.emplace(*scores);
    }
    check_each_row(
        items, items.count(), row_of, of_items, references ? &*references : nullptr, problems
    );
    if (references) {
        references->report(items.count(), problems);
    }
    for (const auto& [rows, needed] : of_examples) {
        const auto row_of_pool = [&](std::int64_t place) {
            return (*rows)[static_cast<std::size_t>(place)];
        };
        check_each_row(
            items, static_cast<std::int64_t>(rows->size()), row_of_pool, needed, nullptr, problems
        );
    }
}

/// Whether some row has the field that tells the splits apart; reports it when none has.
/// `asked_at`: where a split is asked for.
bool check_split_field(
    const domain::ExperimentSpec& spec,
    const engine::Items& items,
    const std::string& asked_at,
    Problems& problems
) {
    std::string path = asked_at;
    const auto dataset = spec.source.find("dataset");
    if (dataset != spec.source.end() && dataset->contains("split_field")) {
        path = "dataset.split_field";
    }
    const auto load = [&](std::int64_t row) { return items.load_row(row); };
    check_any_row(items.file(), load, {{path, spec.dataset.split_field}}, problems);
    return !problems.has(path);
}

bool is_selection_read(const domain::DatasetSpec& spec, const Problems& problems) {
    const auto read = [&](const char* key) {
        return !problems.unread().touches(path_member("dataset", key));
    };
    return read("split") && read("split_field") && read("where") && read("limit") &&
           read("sample") && (!spec.sample || (read("seed") && read("stratify")));
}

/// All rows, known by their numbers.
Result<engine::Items> select_all(const std::string& path, const domain::DatasetSpec& spec) {
    domain::DatasetSpec all;
    all.id_field.clear();
    all.fields = spec.fields;
    all.split_field = spec.split_field;
    LAB_TRY(auto file, storage::DatasetFile::open(path));
    return engine::Items::select(std::move(file), all);
}

/// Sets experiment.items. False when it is not certain that these are the rows the experiment uses.
Result<bool> select_items(const std::string& path, Experiment& experiment, Problems& problems) {
    const domain::DatasetSpec& spec = experiment.spec.dataset;
    std::string why;
    if (is_selection_read(spec, problems)) {
        LAB_TRY(auto file, storage::DatasetFile::open(path));
        auto items = engine::Items::select(std::move(file), spec);
        if (items) {
            experiment.items = std::make_unique<engine::Items>(std::move(*items));
            return true;
        }
        why = items.error().message;
    }
    LAB_TRY(auto items, select_all(path, spec));
    experiment.items = std::make_unique<engine::Items>(std::move(items));
    const bool splits =
        spec.split.empty() ||
        check_split_field(experiment.spec, *experiment.items, "dataset.split", problems);
    if (!why.empty() && splits && !problems.unread().covers("dataset.id")) {
        problems.add("dataset", std::move(why));
    }
    return false;
}

/// Reports a pool that has too few examples, unless it could not be chosen.
void check_pool(
    const domain::ExperimentSpec& spec,
    const engine::Items& items,
    std::size_t prompt,
    const std::string& message,
    Problems& problems
) {
    const std::string path = path_index("prompts", prompt) + ".few_shot";
    const std::optional<domain::FewShotSpec>& few_shot = spec.prompts[prompt].few_shot;
    if (!few_shot) {
        return;
    }
    const bool chosen =
        few_shot->split.empty() || (!problems.unread().covers(path + ".split") &&
                                    !problems.unread().touches("dataset.split_field") &&
                                    !problems.unread().touches("dataset.split") &&
                                    check_split_field(spec, items, path + ".split", problems));
    if (chosen) {
        problems.add(path + ".count", message);
    }
}

/// The renderer; of prompts that ask for more examples than there are, without them.
Result<engine::Renderer> make_renderer(
    domain::ExperimentSpec& spec, const engine::Items& items, Problems& problems
) {
    // With none asked for, an example's variables are checked all the same; an empty pool gives not
    // even none.
    for (const bool empty : {false, true}) {
        auto renderer = engine::Renderer::make(spec, items);
        if (renderer) {
            return renderer;
        }
        for (const Detail& detail : renderer.error().details) {
            for (std::size_t p = 0; p < spec.prompts.size(); ++p) {
                if (detail.field != path_index("prompts", p) + ".few_shot.count") {
                    continue;
                }
                std::optional<domain::FewShotSpec>& few_shot = spec.prompts[p].few_shot;
                if (empty) {
                    few_shot.reset();
                } else if (few_shot) {
                    check_pool(spec, items, p, detail.message, problems);
                    few_shot->count = 0;
                }
            }
        }
    }
    return engine::Renderer::make(spec, items);
}

void check_texts(
    std::vector<domain::Message>& messages,
    const std::vector<std::string>& paths,
    Problems& problems
) {
    LAB_ASSERT(messages.size() == paths.size(), "every template of a spec has its place");
    for (std::size_t i = 0; i < messages.size(); ++i) {
        if (auto parsed = science::Template::parse(messages[i].content); !parsed) {
            problems.add(paths[i], parsed.error().message);
            messages[i].content.clear();
        }
    }
}

}  // namespace

void check_templates(domain::ExperimentSpec& spec, Problems& problems) {
    for (domain::PromptSpec& prompt : spec.prompts) {
        check_texts(prompt.messages, prompt.paths, problems);
        if (prompt.few_shot) {
            check_texts(prompt.few_shot->messages, prompt.few_shot->paths, problems);
        }
    }
}

Status check_rows(
    const std::string& dataset_path,
    const std::vector<Detail>* needed,
    Experiment& experiment,
    Problems& problems
) {
    LAB_TRY(const bool certain, select_items(dataset_path, experiment, problems));
    const engine::Items& items = *experiment.items;
    if (needed != nullptr) {
        check_new_names(items, problems);
    }
    LAB_TRY(auto renderer, make_renderer(experiment.spec, items, problems));
    if (needed != nullptr) {
        check_fields(
            experiment.spec, items, renderer, *needed, experiment.scores.get(), certain, problems
        );
    }
    if (problems.empty()) {
        experiment.renderer = std::make_unique<engine::Renderer>(std::move(renderer));
        experiment.plan = std::make_unique<engine::Plan>(experiment.spec, items.count());
    }
    return ok();
}

}  // namespace lab::service
