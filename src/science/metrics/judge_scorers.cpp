#include "base/text.h"
#include "science/metrics/impl/options.h"
#include "science/metrics/impl/types.h"
#include "science/metrics/rubric.h"
#include "science/metrics/signature.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::science {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kCriteriaMax = 20;

/// "rubric:correctness,style*2|scale:1-5"
std::string signature_of(const RatingReader& reader) {
    std::string out = "rubric:";
    for (const Criterion& one : reader.criteria()) {
        out += out.back() == ':' ? "" : ",";
        out += one.name;
        out += one.weight == 1 ? "" : "*" + format_double(one.weight);
    }
    return out + "|scale:" + format_double(reader.scale().minimum) + "-" +
           format_double(reader.scale().maximum) + "|version:" + metrics_version();
}

/// The ratings that the output, a judge's verdict, gives. A verdict that cannot be read is missing:
/// it says nothing of what was judged.
class Rubric final : public Scorer {
  public:
    explicit Rubric(RatingReader reader) : reader_(std::move(reader)) {
        if (several()) {
            add_metric("overall");
        }
        for (const Criterion& one : reader_.criteria()) {
            add_metric(one.name);
        }
    }

    const std::vector<MetricInfo>& metrics() const override { return metrics_; }
    bool needs_reference() const override { return false; }

    Scored score(const ScoreInput& input) const override {
        const auto ratings = reader_.read(input.output);
        Scored out;
        if (several()) {
            out.values.push_back({.value = reader_.overall(ratings).value_or(kNaN), .stats = {}});
        }
        Json said = Json::object();
        for (std::size_t i = 0; i < ratings.size(); ++i) {
            const std::optional<double> rating = ratings[i];
            out.values.push_back({.value = rating.value_or(kNaN), .stats = {}});
            out.parsed = out.parsed && rating.has_value();
            if (rating) {
                said[reader_.criteria()[i].name] = *rating;
            }
        }
        out.extracted = said.empty() ? "" : dump_json(said);
        return out;
    }

  private:
    bool several() const { return reader_.criteria().size() > 1; }
    void add_metric(const std::string& name) {
        MetricInfo info;
        info.name = name;
        info.minimum = reader_.scale().minimum;
        info.maximum = reader_.scale().maximum;
        info.signature = signature_of(reader_);
        metrics_.push_back(std::move(info));
    }

    RatingReader reader_;
    std::vector<MetricInfo> metrics_;
};

Json rubric_schema() {
    const Json criterion = options_object(
        {{"name",
          {{"type", "string"},
           {"minLength", 1},
           {"maxLength", 100},
           {"description", "What is rated: the member of the verdict, and the metric's name."}}},
         {"description",
          {{"type", "string"},
           {"maxLength", 2000},
           {"default", ""},
           {"description", "What the judge is told of it; for the record."}}},
         {"weight",
          number_schema(1, 0, 1e6, "Of this rating in `overall`; 0 shows it without counting it.")}
        },
        {"name"}
    );
    Json schema = options_object(
        {{"criteria",
          {{"type", "array"},
           {"minItems", 1},
           {"maxItems", kCriteriaMax},
           {"items", criterion},
           {"default", Json::array({Json{{"name", "quality"}}})},
           {"description", "What the judge rates; with several, `overall` is their weighted mean."}}
         },
         {"minimum", number_schema(1, -1e6, 1e6, "Lowest rating of the scale.")},
         {"maximum", number_schema(5, -1e6, 1e6, "Highest rating of the scale.")},
         {"labels",
          {{"type", "object"},
           {"additionalProperties", {{"type", "string"}}},
           {"default", Json::object()},
           {"description",
            "Words that stand for ratings: {\"5\": \"excellent\"}. They are read as the number."}}}}
    );
    schema["x-reference"] = "none";
    return schema;
}

RatingScale read_scale(OptionReader& reader, const Json& options) {
    RatingScale out;
    out.minimum = reader.number("minimum", 1, -1e6, 1e6);
    out.maximum = reader.number("maximum", 5, -1e6, 1e6);
    for (const auto& [value, label] : options.value("labels", Json::object()).items()) {
        const auto number = parse_json(value);
        if (!number || !number->is_number() || !label.is_string()) {
            reader.fail("labels", "\"" + shorten(value, 60) + "\" is not a rating: write a number");
            continue;
        }
        out.labels.emplace_back(number->get<double>(), label.get<std::string>());
    }
    return out;
}

Result<std::unique_ptr<Scorer>> make_rubric(const Json& options) {
    OptionReader reader(options);
    const Json& own = options.is_object() ? options : Json::object();
    RatingScale scale = read_scale(reader, own);
    std::vector<Criterion> criteria;
    for (const Json& one : own.value("criteria", Json::array({Json{{"name", "quality"}}}))) {
        criteria.push_back({.name = one.value("name", ""), .weight = one.value("weight", 1.0)});
    }
    LAB_CHECK(reader.status());
    LAB_TRY(auto made, RatingReader::make(std::move(criteria), std::move(scale)));
    return std::make_unique<Rubric>(std::move(made));
}

}  // namespace

ScorerType rubric_type() {
    return {
        "rubric",
        "The ratings in the output of a model that judges; a verdict that cannot be read is "
        "missing, not a low rating.",
        rubric_schema,
        make_rubric
    };
}

}  // namespace lab::science
