#include "base/text.h"
#include "service/experiment.h"
#include "service/impl/config_blocks.h"
#include "service/impl/judging.h"
#include "service/platform_datasets.h"
#include "service/scratch.h"
#include "storage/store/journal.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <fstream>

namespace lab::service {
namespace {

using domain::Run;
using storage::Resource;

/// Verdicts are paid for one by one: more are a mistake.
constexpr std::int64_t kRowsMax = 200'000;

std::string subject_key(std::size_t variant) { return "m" + std::to_string(variant + 1); }

/// Which scorer compares with references; nullopt: none does.
std::optional<std::size_t> comparing_scorer(const domain::ExperimentSpec& spec) {
    for (std::size_t i = 0; i < spec.scorers.size(); ++i) {
        if (needs_reference(spec.scorers[i].type)) {
            return i;
        }
    }
    return std::nullopt;
}

/// What was asked, as one text: a lone message as it is, several with their roles.
std::string asked(const std::vector<domain::Message>& messages) {
    if (messages.size() == 1) {
        return messages.front().content;
    }
    std::string out;
    for (const domain::Message& one : messages) {
        out += out.empty() ? "" : "\n\n";
        out += "[" + one.role + "]\n" + one.content;
    }
    return out;
}

class OutputRows {
  public:
    OutputRows(const Request& request, const Run& run, const Experiment& experiment)
        : request_(request),
          run_(run),
          experiment_(experiment),
          journal_(request.session),
          comparing_(comparing_scorer(experiment.spec)),
          missing_(experiment.spec.variants.size()) {}

    /// Writes all rows.
    Status write(std::ofstream& file, const std::function<bool()>& stopped) {
        const std::int64_t items = experiment_.items->count();
        const int repetitions = experiment_.plan->repetitions();
        if (items * repetitions > kRowsMax) {
            return Error(
                Code::validation,
                "too much to judge at once",
                {{"config.parameters.run_id",
                  "the run has " + std::to_string(items * repetitions) +
                      " outputs of each model, and at most 200,000 are judged at once"}}
            );
        }
        for (std::int64_t item = 0; item < items; ++item) {
            LAB_CHECK(request_.ctx.check());
            if (stopped && stopped()) {
                return Error(Code::cancelled, "the process is stopping");
            }
            for (int repetition = 0; repetition < repetitions; ++repetition) {
                LAB_TRY(const Json row, row_of(item, repetition));
                if (row.is_null()) {
                    ++dropped_;
                    continue;
                }
                ++rows_;
                file << dump_json(row) << '\n';
            }
        }
        return rows_ > 0 ? ok() : nothing_left();
    }

    std::int64_t rows() const { return rows_; }
    std::int64_t dropped() const { return dropped_; }

  private:
    /// null when some variant has no output.
    Result<Json> row_of(std::int64_t item, int repetition) {
        const domain::ExperimentSpec& spec = experiment_.spec;
        const Json own = experiment_.items->load(item);
        Json judged = Json::object();
        for (std::size_t v = 0; v < spec.variants.size(); ++v) {
            const auto variant = static_cast<std::int64_t>(v);
            const std::int64_t index =
                (variant * experiment_.items->count() + item) * experiment_.plan->repetitions() +
                repetition;
            LAB_TRY(const auto sample, journal_.find(request_.ctx, run_.key, index));
            if (!sample || sample->state != domain::SampleState::done) {
                ++missing_[v];
                return Json();
            }
            LAB_TRY(
                const auto messages,
                experiment_.renderer->render(spec.variants[v].prompt, own, item)
            );
            judged[subject_key(v)] = {{"input", asked(messages)}, {"output", sample->output}};
        }
        const std::string id = experiment_.items->id_of(item, own);
        const std::string again =
            experiment_.plan->repetitions() > 1 ? "#" + std::to_string(repetition + 1) : "";
        Json out = Json::object();
        out["id"] = id + again;
        out["source"] = experiment_.dataset.content_hash.substr(0, 16) + ":" +
                        std::to_string(experiment_.items->row_of(item)) + again;
        out["cluster"] = id;
        if (const std::string& field = spec.analysis.cluster; !field.empty()) {
            const Json* const value = science::find_variable(own, field);
            out["cluster"] = value != nullptr ? engine::field_text(*value) : id;
        }
        if (comparing_) {
            out["reference"] = join(experiment_.scores->references(*comparing_, own), "\n");
        }
        out["judged"] = std::move(judged);
        out["item"] = own;
        return out;
    }

    Error nothing_left() const {
        std::vector<std::string> lacking;
        for (std::size_t v = 0; v < missing_.size(); ++v) {
            if (missing_[v] > 0) {
                lacking.push_back(
                    "\"" + shorten(experiment_.spec.variants[v].id, 100) + "\" lacks " +
                    std::to_string(missing_[v])
                );
            }
        }
        return Error(
            Code::validation,
            "there is nothing to judge",
            {{"config.parameters.run_id",
              "no item of the run has an output of every variant: " +
                  shorten(join(lacking, ", "), 500)}}
        );
    }

    const Request& request_;
    const Run& run_;
    const Experiment& experiment_;
    storage::Journal journal_;
    const std::optional<std::size_t> comparing_;
    std::vector<std::int64_t> missing_;
    std::int64_t rows_ = 0;
    std::int64_t dropped_ = 0;
};

/// The caller's dataset for the outputs of this run, made when there is none.
Result<std::string> need_dataset(
    const Request& request, const Run& run, const std::string& visibility
) {
    const std::string name = "outputs of run " + run.id;
    storage::Resources datasets(request.session, storage::ResourceKind::dataset);
    const Caller& caller = request.caller;
    LAB_TRY(const auto known, datasets.find_named(request.ctx, caller.org, caller.user_id, name));
    if (known) {
        return known->id;
    }
    Json body = {{"name", name}, {"format", "jsonl"}};
    body["description"] = "What the models of the run said, for judges: a row an item.";
    if (!visibility.empty()) {
        body["visibility"] = visibility;
    }
    LAB_TRY(const Shown made, create_noun(request, dataset_noun(), body));
    return made.json["id"].get<std::string>();
}

}  // namespace

Judged outputs_of(const domain::ExperimentSpec& spec) {
    Judged out;
    for (std::size_t v = 0; v < spec.variants.size(); ++v) {
        const domain::ModelSpec& model = spec.models[spec.variants[v].model];
        const std::string at = "judged." + subject_key(v);
        out.subjects.push_back(
            {.id = spec.variants[v].id,
             .model = model.model.empty() ? model.id : model.model,
             .output = at + ".output",
             .input = at + ".input"}
        );
    }
    out.reference = comparing_scorer(spec) ? "reference" : "";
    out.own = "item.";
    out.clustered = spec.run.repetitions > 1 || !spec.analysis.cluster.empty();
    return out;
}

Result<StoredOutputs> store_outputs(
    const Request& request,
    const Run& run,
    const std::string& visibility,
    const std::function<bool()>& stopped
) {
    LAB_TRY(const Json source, parse_json(run.spec));
    LAB_TRY(const Json manifest, parse_json(run.manifest));
    LAB_TRY(
        const std::unique_ptr<Experiment> experiment,
        load_stored_experiment(
            request.ctx,
            request.deps,
            source,
            manifest.value("base_folder", "."),
            run.dataset_hash,
            Purpose::report
        )
    );
    LAB_TRY(const ScratchFolder scratch, ScratchFolder::make(request.deps.scratch_folder));
    Arrival arrival{.path = scratch.path() + "/rows", .format = "jsonl", .source = "the outputs"};
    std::ofstream file(arrival.path, std::ios::binary);
    OutputRows rows(request, run, *experiment);
    LAB_CHECK(rows.write(file, stopped));
    file.close();
    if (!file) {
        return Error(Code::io, "cannot write " + arrival.path);
    }
    StoredOutputs out{.rows = rows.rows(), .dropped = rows.dropped()};
    // Whoever may judge need not be one who may upload: the service does it for them.
    Caller owner = local_caller();
    owner.org = request.caller.org;
    owner.user_id = request.caller.user_id;
    const Request theirs{request.ctx, request.deps, request.session, owner};
    LAB_TRY(out.dataset_id, need_dataset(theirs, run, visibility));
    LAB_TRY(const Arrived arrived, take_rows(theirs, out.dataset_id, arrival));
    out.content_hash = arrived.version["content_hash"].get<std::string>();
    return out;
}

}  // namespace lab::service
