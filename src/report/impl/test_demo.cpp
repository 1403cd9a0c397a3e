#include "report/impl/test_demo.h"

#include "base/text.h"
#include "domain/spec.h"
#include "platform/json/json.h"
#include "report/impl/test_demo_parts.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <optional>

namespace lab::report {
namespace {

std::vector<Json> read_lines(const std::string& path, std::size_t lines_max = SIZE_MAX) {
    std::ifstream file(std::string(LAB_SOURCE_DIR) + "/examples/" + path);
    EXPECT_TRUE(file.is_open()) << path;
    std::vector<Json> out;
    for (std::string line; out.size() < lines_max && std::getline(file, line);) {
        out.push_back(parse_json(line).value());
    }
    return out;
}

std::string after_last(std::string_view text, std::string_view mark) {
    const std::size_t at = text.rfind(mark);
    return at == std::string_view::npos ? ""
                                        : std::string(trim_ascii(text.substr(at + mark.size())));
}

std::optional<double> number_in(std::string text) {
    std::erase(text, ',');
    std::erase(text, '$');
    char* end = nullptr;
    const double out = std::strtod(text.c_str(), &end);
    return text.empty() || end != text.c_str() + text.size() ? std::nullopt : std::optional(out);
}

}  // namespace

Demo demo_gsm8k() {
    Demo out = start("gsm8k-four-models", "Four models on grade-school maths", "gsm8k@1");
    const std::vector<std::string> models = {
        "6b_finetuning", "6b_verification", "175b_finetuning", "175b_verification"
    };
    out.report.metrics.push_back(binary_metric("accuracy", "numeric"));
    std::vector<std::vector<Json>> outputs;
    for (const std::string& model : models) {
        out.report.variants.push_back(variant_named(model, "plain"));
        outputs.push_back(read_lines("gsm8k/outputs/" + model + ".jsonl"));
    }
    out.report.variants[0].baseline = true;
    const std::vector<Json> dataset = read_lines("gsm8k/dataset.jsonl");
    for (std::size_t i = 0; i < dataset.size(); ++i) {
        ItemRow row;
        row.item = static_cast<std::int64_t>(i);
        row.id = dataset[i]["id"].get<std::string>();
        Json input;
        input["question"] = dataset[i]["question"];
        row.input = dump_json(input);
        row.reference = after_last(dataset[i]["answer"].get<std::string>(), "####");
        for (const std::vector<Json>& of_model : outputs) {
            ItemSample sample;
            sample.present = true;
            sample.output = of_model[i]["output"].get<std::string>();
            sample.finish_reason = "stop";
            sample.extracted = {after_last(sample.output, "A:")};
            const std::optional<double> answer = number_in(sample.extracted[0]);
            sample.parsed = {answer.has_value()};
            sample.scores = {answer && *answer == number_in(row.reference) ? 1.0 : 0.0};
            row.samples.push_back({std::move(sample)});
        }
        out.rows.push_back(std::move(row));
    }
    out.report.runs[0].items = static_cast<std::int64_t>(out.rows.size());
    count_samples(out);
    for (VariantSummary& variant : out.report.variants) {
        variant.replayed = variant.done;
        variant.cost = Money{};
    }
    out.report.totals.replayed = out.report.totals.done;
    out.report.totals.cost = Money{};
    Analysis how;
    how.all_pairs = true;
    how.options.mcnemar = domain::McNemarKind::exact;
    analyse(out, columns_of(out), how);
    out.report.answer =
        "Best accuracy: 175b_verification, 56.3 % (53.6 to 58.9); better than each of the 3 it was "
        "compared with.";
    out.report.methods = usual_methods(out.report);
    out.report.gates.push_back({"accuracy of 175b_verification at least 0.5", true, "0.563"});
    return out;
}

Demo demo_bbh() {
    Demo out = start("bbh-prompts", "Direct answers against chain of thought", "bbh@1");
    out.report.metrics.push_back(binary_metric("exact_match", "exact_match"));
    const std::vector<Json> dataset = read_lines("bbh/dataset.jsonl");
    std::vector<std::vector<Json>> outputs;
    for (const std::string prompt : {"direct", "cot"}) {
        out.report.variants.push_back(variant_named("code-davinci-002/" + prompt, prompt));
        outputs.push_back(read_lines("bbh/outputs/" + prompt + ".jsonl"));
    }
    out.report.variants[0].baseline = true;
    std::map<std::string, int> tasks;
    std::vector<int> clusters;
    for (std::size_t i = 0; i < dataset.size(); ++i) {
        ItemRow row;
        row.item = static_cast<std::int64_t>(i);
        row.id = dataset[i]["id"].get<std::string>();
        Json input;
        input["task"] = dataset[i]["task"];
        input["input"] = dataset[i]["input"];
        row.input = dump_json(input);
        row.reference = dataset[i]["target"].get<std::string>();
        const auto task = dataset[i]["task"].get<std::string>();
        clusters.push_back(tasks.emplace(task, static_cast<int>(tasks.size())).first->second);
        for (const std::vector<Json>& of_prompt : outputs) {
            ItemSample sample;
            sample.present = true;
            sample.output = of_prompt[i]["output"].get<std::string>();
            sample.finish_reason = "stop";
            std::string answer = after_last(sample.output, "the answer is");
            if (answer.ends_with('.')) {
                answer.pop_back();
            }
            sample.extracted = {answer};
            sample.parsed = {true};
            const std::string found = answer.empty() ? sample.output : answer;
            sample.scores = {trim_ascii(found) == row.reference ? 1.0 : 0.0};
            row.samples.push_back({std::move(sample)});
        }
        out.rows.push_back(std::move(row));
    }
    out.report.runs[0].items = static_cast<std::int64_t>(out.rows.size());
    count_samples(out);
    Columns columns = columns_of(out);
    columns.clusters = clusters;
    analyse(out, columns, {});
    out.report.methods = usual_methods(out.report);
    out.report.answer = "Best exact_match: code-davinci-002/cot; the difference is shown.";
    return out;
}

namespace {
using Scorers = std::vector<std::unique_ptr<science::Scorer>>;

/// Reads and scores the translations of the variant of that name.
void add_system(Demo& demo, Columns& columns, const Scorers& scorers, std::size_t v) {
    const std::string path = "wmt22_gpt/outputs/de-en/" + demo.report.variants[v].id + ".jsonl";
    const std::vector<Json> lines = read_lines(path, demo.rows.size());
    for (std::size_t i = 0; i < lines.size(); ++i) {
        ItemSample sample;
        sample.present = true;
        sample.output = lines[i]["output"].get<std::string>();
        sample.finish_reason = "stop";
        sample.extracted = {"", ""};
        sample.parsed = {true, true};
        for (std::size_t m = 0; m < 2; ++m) {
            const science::Scored scored =
                scorers[m]->score({sample.output, std::span(&demo.rows[i].reference, 1)});
            sample.scores.push_back(scored.values[0].value);
            columns.values[m][v].push_back(scored.values[0].value);
            const std::vector<double>& stats = scored.values[0].stats;
            std::ranges::copy(stats, std::back_inserter(columns.stats[m][v]));
        }
        demo.rows[i].samples.push_back({std::move(sample)});
    }
}
}  // namespace

Demo demo_wmt(std::size_t segments) {
    Demo out = start("wmt22-de-en", "Nine systems, German to English", "wmt22-de-en@1");
    Columns columns;
    Scorers scorers;
    for (const char* name : {"bleu", "chrf"}) {
        const science::ScorerType* type = science::find_scorer_type(name);
        scorers.push_back(type->make(Json::object()).value());
        MetricColumn column;
        column.info = scorers.back()->metrics()[0];
        column.primary = true;
        column.scorer = name;
        out.report.metrics.push_back(column);
        const science::Scorer* scorer = scorers.back().get();
        columns.aggregate.push_back([scorer](std::span<const double> sums) {
            return scorer->aggregate(0, sums);
        });
    }
    columns.values.resize(2, std::vector<std::vector<double>>(9));
    columns.stats.resize(2, std::vector<std::vector<double>>(9));
    const std::vector<Json> dataset = read_lines("wmt22_gpt/de-en.jsonl", segments);
    for (const Json& segment : dataset) {
        ItemRow row;
        row.item = static_cast<std::int64_t>(out.rows.size());
        row.id = segment["id"].get<std::string>();
        Json input;
        input["source"] = segment["source"];
        row.input = dump_json(input);
        row.reference = segment["reference"].get<std::string>();
        out.rows.push_back(std::move(row));
    }
    std::size_t v = 0;
    for (const char* system :
         {"text-davinci-003.zeroshot",
          "text-davinci-002.zeroshot",
          "text-davinci-003.RR-1shot",
          "text-davinci-003.RR-5shot",
          "text-davinci-003.QR-1shot",
          "text-davinci-003.QR-5shot",
          "ChatGPT.zeroshot",
          "MS-Translator",
          "wmt-best"}) {
        out.report.variants.push_back(variant_named(system, "translate"));
        add_system(out, columns, scorers, v++);
    }
    out.report.variants[0].baseline = true;
    out.report.runs[0].items = static_cast<std::int64_t>(out.rows.size());
    count_samples(out);
    Analysis how;
    how.options.bootstrap_replicates = 200;
    how.options.seed = 42;
    analyse(out, columns, how);
    out.report.methods = usual_methods(out.report);
    out.report.answer = "Best bleu: wmt-best; better than the baseline. Best chrf: wmt-best.";
    return out;
}

}  // namespace lab::report
