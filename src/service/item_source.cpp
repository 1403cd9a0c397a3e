#include "service/item_source.h"

#include "base/text.h"
#include "storage/store/journal.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::service {
namespace {

constexpr std::int64_t kBlock = 256;
constexpr std::size_t kInputBytesMax = 4000;

report::ItemSample sample_of(const domain::SampleResult& stored, const StoredItems::Part& part) {
    report::ItemSample out;
    out.repetition = stored.repetition;
    out.present = true;
    out.failed = stored.state == domain::SampleState::failed;
    out.output = stored.output;
    out.error = stored.error_message;
    out.finish_reason = stored.finish_reason;
    out.cached = stored.cached;
    if (!out.failed) {
        if (auto scores = engine::decode_scores(stored.scores, *part.experiment->scores)) {
            for (const std::size_t slot : part.slots) {
                out.scores.push_back(scores->values[slot]);
            }
            out.extracted = std::move(scores->extracted);
            out.parsed = std::move(scores->parsed);
        }
    }
    return out;
}

/// What the model was asked about: the row without what it was compared with.
std::string input_of(const Json& row, const Experiment& experiment) {
    Json shown = row;
    for (const Detail& needed : experiment.scores->needed_fields()) {
        shown.erase(needed.message);
    }
    shown.erase(experiment.spec.dataset.id_field);
    if (shown.size() == 1) {
        return shorten(engine::field_text(*shown.begin()), kInputBytesMax);
    }
    return shorten(dump_json(shown), kInputBytesMax);
}

}  // namespace

std::int64_t StoredItems::count() const { return parts_[0].experiment->items->count(); }

Status StoredItems::read_block(
    std::int64_t begin, std::int64_t end, std::vector<report::ItemRow>& rows
) const {
    const Experiment& first = *parts_[0].experiment;
    rows.assign(static_cast<std::size_t>(end - begin), {});
    for (std::int64_t item = begin; item < end; ++item) {
        report::ItemRow& row = rows[static_cast<std::size_t>(item - begin)];
        const Json data = first.items->load(item);
        row.item = item;
        row.id = first.items->id_of(item, data);
        row.input = input_of(data, first);
        const std::vector<std::string> references = first.scores->references(0, data);
        row.reference = join(references, " | ");
    }
    std::size_t column = 0;
    for (const Part& part : parts_) {
        const Experiment& experiment = *part.experiment;
        const std::int64_t repetitions = experiment.spec.run.repetitions;
        const std::int64_t items = experiment.items->count();
        storage::Journal journal(*part.session);
        for (std::size_t v = 0; v < experiment.spec.variants.size(); ++v, ++column) {
            for (report::ItemRow& row : rows) {
                row.samples.emplace_back(static_cast<std::size_t>(repetitions));
            }
            const std::int64_t base = static_cast<std::int64_t>(v) * items;
            LAB_CHECK(journal.scan_range(
                ctx_,
                part.run,
                (base + begin) * repetitions,
                (base + end) * repetitions,
                [&](const domain::SampleResult& stored) -> Status {
                    auto& samples =
                        rows[static_cast<std::size_t>(stored.item - begin)].samples[column];
                    samples[static_cast<std::size_t>(stored.repetition)] = sample_of(stored, part);
                    return ok();
                }
            ));
        }
    }
    return ok();
}

Status StoredItems::each(const std::function<Status(const report::ItemRow&)>& visit) const {
    std::vector<report::ItemRow> rows;
    for (std::int64_t begin = 0; begin < count(); begin += kBlock) {
        LAB_CHECK(ctx_.check());
        LAB_CHECK(read_block(begin, std::min(begin + kBlock, count()), rows));
        for (const report::ItemRow& row : rows) {
            LAB_CHECK(visit(row));
        }
    }
    return ok();
}

}  // namespace lab::service
