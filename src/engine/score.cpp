#include "engine/score.h"

#include "base/text.h"
#include "engine/items.h"
#include "platform/telemetry/span.h"

#include <nlohmann/json.hpp>

#include <cmath>
#include <set>

namespace lab::engine {
namespace {

/// Extracted answers are kept for reports; a longer one is the output itself more or less.
constexpr std::size_t kExtractedBytesMax = 300;

void append_number(std::string& out, double value) {
    out += std::isfinite(value) ? format_double(value) : "null";
}

double number_or_nan(const Json& value) {
    return value.is_number() ? value.get<double>() : std::nan("");
}

}  // namespace

Result<ScoreBook> ScoreBook::make(const domain::ExperimentSpec& spec) {
    ScoreBook book;
    std::vector<Detail> problems;
    for (std::size_t i = 0; i < spec.scorers.size(); ++i) {
        book.add(spec.scorers[i], "scorers[" + std::to_string(i) + "]", problems);
    }
    book.mark_primary(spec, problems);
    if (!problems.empty()) {
        return Error(Code::validation, "the scorers are not right", std::move(problems));
    }
    return book;
}

void ScoreBook::add(
    const domain::ScorerSpec& spec, const std::string& path, std::vector<Detail>& problems
) {
    const auto keep = [&](const Error& error, const std::string& below) {
        if (error.details.empty()) {
            problems.push_back({path + below, error.message});
        }
        for (const Detail& detail : error.details) {
            const bool bare = detail.field.empty() || detail.field.starts_with('[');
            const std::string field = (bare ? "" : ".") + detail.field;
            problems.push_back({path + below + field, detail.message});
        }
    };
    Entry entry;
    entry.path = path;
    const science::ScorerType* type = science::find_scorer_type(spec.type);
    if (type == nullptr) {
        problems.push_back({path + ".type", "unknown scorer \"" + spec.type + "\""});
        return;
    }
    auto scorer = type->make(spec.options);
    if (!scorer) {
        keep(scorer.error(), "");
        return;
    }
    entry.scorer = std::move(*scorer);
    for (std::size_t i = 0; i < spec.references.size(); ++i) {
        auto reference = science::Template::parse(spec.references[i]);
        if (!reference) {
            keep(reference.error(), ".reference");
            continue;
        }
        entry.references.push_back(std::move(*reference));
    }
    entry.reference_list = spec.reference_list;
    if (entry.scorer->needs_reference() && spec.references.empty() && spec.reference_list.empty()) {
        problems.push_back({path, "this scorer compares with a reference: set `reference`"});
    }
    const auto extractor = [&](const Json& steps, const char* key, auto& into) {
        if (steps.empty()) {
            return;
        }
        auto made = science::make_extractor(steps);
        if (!made) {
            keep(made.error(), std::string(".") + key);
            return;
        }
        into.emplace(std::move(*made));
    };
    extractor(spec.extract, "extract", entry.extract);
    extractor(spec.extract_reference, "extract_reference", entry.extract_reference);
    const std::vector<science::MetricInfo>& metrics = entry.scorer->metrics();
    entry.name = spec.id.empty() ? spec.type : spec.id;
    for (std::size_t m = 0; m < metrics.size(); ++m) {
        MetricSlot slot{.info = metrics[m], .scorer = entries_.size(), .metric = m};
        if (!spec.id.empty()) {
            slot.info.name = metrics.size() == 1 ? spec.id : spec.id + "." + metrics[m].name;
        }
        for (const MetricSlot& other : slots_) {
            if (other.info.name == slot.info.name) {
                problems.push_back(
                    {path,
                     "gives the metric \"" + slot.info.name +
                         "\", which another scorer gives too: set `id` on one of them"}
                );
            }
        }
        slots_.push_back(std::move(slot));
    }
    entries_.push_back(std::move(entry));
}

void ScoreBook::mark_primary(const domain::ExperimentSpec& spec, std::vector<Detail>& problems) {
    std::vector<std::string> names;
    for (MetricSlot& slot : slots_) {
        names.push_back(slot.info.name);
        slot.primary = spec.analysis.primary.empty() && slot.metric == 0;
    }
    const auto known = [&](const std::string& name, const std::string& path) -> MetricSlot* {
        for (MetricSlot& slot : slots_) {
            if (slot.info.name == name) {
                return &slot;
            }
        }
        const std::string near = nearest(name, names);
        problems.push_back(
            {path,
             "no scorer gives the metric \"" + name + "\"" +
                 (near.empty() ? "; the metrics are " + join(names, ", ")
                               : ", did you mean \"" + near + "\"?")}
        );
        return nullptr;
    };
    for (std::size_t i = 0; i < spec.analysis.primary.size(); ++i) {
        const std::string path = "analysis.primary[" + std::to_string(i) + "]";
        if (MetricSlot* slot = known(spec.analysis.primary[i], path)) {
            slot->primary = true;
        }
    }
    if (spec.hypothesis) {
        known(spec.hypothesis->metric, "hypothesis.metric");
    }
    for (std::size_t i = 0; i < spec.gates.size(); ++i) {
        if (!spec.gates[i].metric.empty()) {
            known(spec.gates[i].metric, "gate[" + std::to_string(i) + "].metric");
        }
    }
}

std::vector<Detail> ScoreBook::needed_fields() const {
    std::vector<Detail> fields;
    for (const Entry& entry : entries_) {
        for (const science::Template& reference : entry.references) {
            for (const std::string& name : reference.variables()) {
                fields.push_back({entry.path + ".reference", name});
            }
        }
        if (!entry.reference_list.empty()) {
            fields.push_back({entry.path + ".reference_list", entry.reference_list});
        }
    }
    return fields;
}

Result<std::vector<std::string>> ScoreBook::raw_references(const Entry& entry, const Json& row)
    const {
    std::vector<std::string> out;
    for (const science::Template& reference : entry.references) {
        LAB_TRY(std::string text, reference.render(row));
        out.push_back(std::move(text));
    }
    if (!entry.reference_list.empty()) {
        const Json* list = science::find_variable(row, entry.reference_list);
        if (list == nullptr || !list->is_array() || list->empty()) {
            return Error(
                Code::validation,
                "the field \"" + entry.reference_list + "\" is not a list of references in this row"
            );
        }
        for (const Json& one : *list) {
            out.push_back(field_text(one));
        }
    }
    if (entry.extract_reference) {
        // A reference without an answer is none; as an empty text it would equal an empty output.
        std::vector<std::string> found;
        for (const std::string& text : out) {
            science::Extracted answer = entry.extract_reference->apply(text);
            if (answer.found) {
                found.push_back(std::move(answer.text));
            }
        }
        return found;
    }
    return out;
}

std::optional<Detail> ScoreBook::reference_problem(const Entry& entry, const Json& row) const {
    const bool listed = !entry.reference_list.empty();
    const std::string path = entry.path + (listed ? ".reference_list" : ".reference");
    for (const science::Template& reference : entry.references) {
        for (const std::string& name : reference.variables()) {
            const Json* value = science::find_variable(row, name);
            if (value != nullptr && value->is_array() && !entry.extract_reference) {
                return Detail{
                    path,
                    "the field \"" + name +
                        "\" is a list: for several right answers set "
                        "`reference_list: " +
                        name + "`"
                };
            }
        }
    }
    const auto references = raw_references(entry, row);
    if (!references) {
        return std::nullopt;
    }
    if (references->empty() && entry.extract_reference) {
        return Detail{entry.path + ".extract_reference", "finds no answer in the reference"};
    }
    std::string why = references->empty() ? "" : entry.scorer->unusable(*references);
    return why.empty() ? std::nullopt : std::optional(Detail{path, std::move(why)});
}

std::vector<Detail> ScoreBook::check_references(const Json& row) const {
    std::vector<Detail> out;
    for (const Entry& entry : entries_) {
        if (auto problem = reference_problem(entry, row)) {
            out.push_back(*std::move(problem));
        }
    }
    return out;
}

std::vector<std::string> ScoreBook::references(std::size_t scorer, const Json& row) const {
    auto found = raw_references(entries_[scorer], row);
    return found ? std::move(*found) : std::vector<std::string>();
}

Result<std::string> ScoreBook::score(std::string_view output, const Json& row) const {
    std::string values;
    std::string stats;
    std::string parsed;
    std::string extracted;
    for (const Entry& entry : entries_) {
        LAB_TRY(const std::vector<std::string> references, raw_references(entry, row));
        Span span = current_place().records()
                        ? child_span("score " + entry.name, SpanKind::internal)
                        : Span();
        science::Extracted text{.found = true, .text = {}};
        if (entry.extract) {
            text = entry.extract->apply(output);
        }
        const std::string_view subject = entry.extract ? std::string_view(text.text) : output;
        science::Scored scored =
            entry.scorer->score({.output = text.found ? subject : "", .references = references});
        if (!text.found) {
            // No answer where one was asked for: wrong, and its share is shown.
            scored.parsed = false;
            for (science::MetricValue& value : scored.values) {
                value.value = std::isnan(value.value) ? value.value : std::min(value.value, 0.0);
            }
            scored.extracted.clear();
        } else if (entry.extract && scored.extracted.empty()) {
            scored.extracted = text.text;
        }
        span.set("llm_research.score.parsed", scored.parsed);
        span.end();
        for (const science::MetricValue& value : scored.values) {
            values += values.empty() ? "" : ",";
            append_number(values, value.value);
            stats += stats.empty() ? "[" : ",[";
            for (std::size_t i = 0; i < value.stats.size(); ++i) {
                stats += i > 0 ? "," : "";
                append_number(stats, value.stats[i]);
            }
            stats += ']';
        }
        parsed += parsed.empty() ? "" : ",";
        parsed += scored.parsed ? '1' : '0';
        extracted += extracted.empty() ? "" : ",";
        append_json_string(
            extracted,
            scored.extracted == output ? "" : shorten(scored.extracted, kExtractedBytesMax)
        );
    }
    const bool corpus = std::ranges::any_of(slots_, [](const MetricSlot& slot) {
        return slot.info.kind == science::MetricKind::corpus;
    });
    return "{\"v\":[" + values + "]" + (corpus ? ",\"s\":[" + stats + "]" : "") + ",\"p\":[" +
           parsed + "],\"x\":[" + extracted + "]}";
}

double ScoreBook::aggregate(std::size_t slot, std::span<const double> sums) const {
    return entries_[slots_[slot].scorer].scorer->aggregate(slots_[slot].metric, sums);
}

Result<SampleScores> decode_scores(std::string_view encoded, const ScoreBook& book) {
    const auto broken = [] {
        return Error(Code::internal, "the stored scores do not fit the experiment's scorers");
    };
    LAB_TRY(const Json json, parse_json(encoded));
    SampleScores out;
    const std::size_t slots = book.slots().size();
    if (!json.is_object() || !json.contains("v") || json["v"].size() != slots ||
        !json.contains("p") || json["p"].size() != book.scorers() || !json.contains("x") ||
        json["x"].size() != book.scorers()) {
        return broken();
    }
    out.stats.resize(slots);
    for (std::size_t i = 0; i < slots; ++i) {
        out.values.push_back(number_or_nan(json["v"][i]));
        const std::size_t width = book.slots()[i].info.stats_size;
        if (width == 0) {
            continue;
        }
        if (!json.contains("s") || json["s"].size() != slots || json["s"][i].size() != width) {
            return broken();
        }
        for (const Json& number : json["s"][i]) {
            out.stats[i].push_back(number_or_nan(number));
        }
    }
    for (std::size_t i = 0; i < book.scorers(); ++i) {
        out.parsed.push_back(json["p"][i] == 1);
        out.extracted.push_back(field_text(json["x"][i]));
    }
    return out;
}

}  // namespace lab::engine
