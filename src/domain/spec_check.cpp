#include "domain/impl/spec_check.h"

#include "base/text.h"
#include "domain/impl/spec_variants.h"
#include "domain/problem_paths.h"
#include "domain/spec_parse.h"

#include <algorithm>
#include <set>

namespace lab::domain {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

bool is_variable_name(std::string_view text) {
    return !text.empty() && !is_digit(text[0]) && std::ranges::all_of(text, [](char c) {
        return is_letter(c) || is_digit(c) || c == '_';
    });
}

/// Whether somebody has probably pasted the key where its variable's name belongs.
bool looks_like_key(std::string_view text) {
    static constexpr std::string_view kPrefixes[] = {
        "sk-", "sk_", "pk-", "gsk_", "hf_", "xai-", "AIza", "r8_", "ghp_", "Bearer "
    };
    const bool prefix = std::ranges::any_of(kPrefixes, [&](std::string_view start) {
        return text.starts_with(start);
    });
    const bool digits = std::ranges::any_of(text, is_digit);
    const bool small = std::ranges::any_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
    return (prefix && (digits || !is_variable_name(text))) ||
           (text.size() >= 20 && digits && small);
}

bool is_secret_header(std::string_view name) {
    const std::string lowered = to_lower(name);
    static const std::set<std::string, std::less<>> kNames = {
        "authorization", "proxy-authorization", "cookie", "api-key", "apikey", "key"
    };
    static constexpr std::string_view kEndings[] = {
        "-key", "-token", "-secret", "_key", "_token", "-password", "-auth", "-authorization"
    };
    return kNames.contains(lowered) || std::ranges::any_of(kEndings, [&](std::string_view ending) {
               return lowered.ends_with(ending);
           });
}

bool is_header_name(std::string_view name) {
    constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
    return !name.empty() && std::ranges::all_of(name, [&](char c) {
        return is_letter(c) || is_digit(c) || kMarks.find(c) != std::string_view::npos;
    });
}

bool has_control(std::string_view text) {
    return std::ranges::any_of(text, [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
}

/// Why an address cannot be used, or empty.
std::string url_problem(std::string_view url) {
    std::string_view rest = url;
    const std::string scheme = to_lower(url.substr(0, url.find("://")));
    if ((scheme != "http" && scheme != "https") || url.find("://") == std::string_view::npos) {
        return "must begin with http:// or https://";
    }
    rest.remove_prefix(scheme.size() + 3);
    const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
    if (authority.empty() || authority.starts_with(':')) {
        return "names no host";
    }
    if (has_control(url) || url.find(' ') != std::string_view::npos) {
        return "contains a blank or a control character";
    }
    if (authority.find('@') != std::string_view::npos) {
        return "must not carry a user name or password";
    }
    const std::size_t query = rest.find('?');
    const std::string parameters =
        query == std::string_view::npos ? "" : to_lower(rest.substr(query));
    if (parameters.find("key=") != std::string::npos ||
        parameters.find("token=") != std::string::npos) {
        return "must not carry a key: name its environment variable in `api_key_env`";
    }
    return "";
}

/// Where the provider could not be read, what else is written tells.
bool is_replay(const SpecNode& node, const ModelSpec& model, const ProblemPaths& paths) {
    return paths.covers(node.member("provider").path()) ? node.has("replay")
                                                        : model.provider == "replay";
}

class Checker {
  public:
    Checker(const SpecNode& root, const ExperimentSpec& spec, std::vector<Detail>& problems)
        : root_(root), spec_(spec), problems_(problems), paths_(problems) {
        names_known_ = !paths_.touches("variants") && models_named(root, paths_) &&
                       prompts_named(root, paths_);
        for (const Variant& variant : spec.variants) {
            variants_.push_back(variant.id);
        }
    }

    void run() {
        dataset();
        prompts();
        models();
        scorers();
        analysis();
        run_section();
        for (const SpecNode& gate : root_.member("gate").entries()) {
            check_gate(gate);
        }
    }

  private:
    void report(const SpecNode& node, std::string message) {
        problems_.push_back({node.path(), std::move(message)});
    }
    /// A key that must be there; one that is only written wrong has been reported.
    void missing(const SpecNode& key, std::string message) {
        if (!paths_.misspelled(key.path())) {
            report(key, std::move(message));
        }
    }
    /// Of two keys exactly one; only for mappings, the schema has the rest.
    void exactly_one(const SpecNode& node, std::string_view a, std::string_view b) {
        if (!node.is_object() || node.has(a) != node.has(b)) {
            return;
        }
        const std::string names = "`" + std::string(a) + "` " + (node.has(a) ? "and" : "or") +
                                  " `" + std::string(b) + "`";
        if (node.has(a)) {
            report(node.member(b), names + " exclude each other");
        } else if (!paths_.misspelled(node.member(b).path())) {
            missing(node.member(a), names + " is missing");
        }
    }
    void not_both(const SpecNode& node, std::string_view a, std::string_view b) {
        if (node.has(a) && node.has(b)) {
            report(
                node.member(b),
                "`" + std::string(a) + "` and `" + std::string(b) + "` exclude each other"
            );
        }
    }
    void variant_known(const SpecNode& name, std::string_view what) {
        if (names_known_ && name.is_text() &&
            std::ranges::find(variants_, name.text()) == variants_.end()) {
            report(name, unknown_name(what, name.text(), variants_));
        }
    }

    void dataset() {
        const SpecNode node = root_.member("dataset");
        exactly_one(node, "path", "ref");
        not_both(node, "limit", "sample");
        if (node.has("stratify") && !node.has("sample")) {
            report(node.member("stratify"), "goes with `sample`: how many rows are to be drawn?");
        }
        const SpecNode path = node.member("path");
        if (!path.text().empty() && !node.has("format") && format_of_path(path.text()).empty()) {
            report(
                path,
                "the extension does not tell the format: set `format` to jsonl, json, csv, tsv, "
                "parquet or text"
            );
        }
        if (node.member("split").is_object() && node.has("split_field")) {
            report(node.member("split_field"), "stands inside `split` when that is a mapping");
        }
    }

    void prompts() {
        const SpecNode list = root_.member("prompts");
        std::vector<std::pair<std::string, SpecNode>> ids;
        const std::vector<SpecNode> entries = list.entries();
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const SpecNode& node = entries[i];
            ids.emplace_back(spec_.prompts[i].id, node.member("id"));
            exactly_one(node, "template", "messages");
            not_both(node, "messages", "system");
            exactly_one(node.member("few_shot"), "template", "messages");
        }
        unique("prompt", ids);
    }

    void unique(std::string_view what, const std::vector<std::pair<std::string, SpecNode>>& ids) {
        std::set<std::string> seen;
        for (const auto& [id, node] : ids) {
            const bool read = !id.empty() && !paths_.covers(node.path());
            if (read && !seen.insert(id).second) {
                report(
                    node,
                    "a second " + std::string(what) + " \"" + shorten(id, 60) +
                        "\": give each its own `id`"
                );
            }
        }
    }

    void models() {
        std::vector<std::pair<std::string, SpecNode>> ids;
        const std::vector<SpecNode> entries = root_.member("models").entries();
        for (std::size_t i = 0; i < entries.size(); ++i) {
            const SpecNode& node = entries[i];
            ids.emplace_back(spec_.models[i].id, node.member("id"));
            if (node.is_object()) {
                check_model(node, spec_.models[i]);
            }
        }
        unique("model", ids);
    }
    void check_model(const SpecNode& node, const ModelSpec& model) {
        const bool replay = is_replay(node, model, paths_);
        if (replay && !node.has("replay")) {
            missing(
                node.member("replay"), "required key \"replay\" is missing: `replay: {path: FILE}`"
            );
        }
        if (!replay && node.has("replay")) {
            report(node.member("replay"), "goes only with `provider: replay`");
        }
        if (!replay && !node.has("model")) {
            missing(node.member("model"), "required key \"model\" is missing");
        }
        if (replay && model.id.empty() && !node.has("id") && !node.has("model")) {
            missing(node.member("id"), "required key \"id\" is missing");
        }
        const SpecNode url = node.member("base_url");
        if (!url.text().empty()) {
            if (std::string problem = url_problem(url.text()); !problem.empty()) {
                report(url, std::move(problem));
            }
        }
        const SpecNode variable = node.member("api_key_env");
        if (looks_like_key(variable.text())) {
            report(
                variable,
                "this looks like a key: write the NAME of the environment variable that holds it, "
                "such as OPENAI_API_KEY"
            );
        } else if (!variable.text().empty() && !is_variable_name(variable.text())) {
            report(variable, "must be the name of an environment variable, such as OPENAI_API_KEY");
        }
        for (const auto& [name, value] : node.member("headers").members()) {
            check_header(name, value);
        }
    }
    void check_header(const std::string& name, const SpecNode& value) {
        if (is_secret_header(name)) {
            report(
                value,
                "a header that carries a key: name its environment variable in `api_key_env` "
                "instead"
            );
        } else if (!is_header_name(name)) {
            report(value, "\"" + shorten(name, 60) + "\" cannot be a header's name");
        } else if (has_control(value.text())) {
            report(value, "a header's value is one line");
        }
    }

    void scorers() {
        std::vector<std::pair<std::string, SpecNode>> ids;
        for (const SpecNode& node : root_.member("scorers").entries()) {
            not_both(node, "reference", "reference_list");
            // Two of one type may well give metrics of different names: only who makes the scorers
            // can tell.
            ids.emplace_back(node.member("id").text(), node.member("id"));
        }
        unique("scorer", ids);
    }

    void analysis() {
        const SpecNode expected = root_.member("hypothesis").member("baseline");
        const SpecNode chosen = root_.member("analysis").member("baseline");
        variant_known(expected, "variant");
        variant_known(chosen, "variant");
        if (expected.is_text() && chosen.is_text() && expected.text() != chosen.text()) {
            report(
                chosen,
                "differs from hypothesis.baseline (\"" + shorten(expected.text(), 60) + "\")"
            );
        }
        std::set<std::string> seen;
        for (const SpecNode& metric : root_.member("analysis").member("primary").entries()) {
            if (!metric.text().empty() && !seen.insert(metric.text()).second) {
                report(metric, "\"" + shorten(metric.text(), 60) + "\" is listed twice");
            }
        }
    }

    void run_section() {
        const SpecNode node = root_.member("run");
        const SpecNode cost = node.member("budget").member("max_cost_usd");
        if (const auto amount = cost.money(); amount && amount->is_zero()) {
            report(cost, "must be greater than 0");
        } else if (cost.given() && !amount && !paths_.covers(cost.path())) {
            report(cost, "must be an amount in US dollars such as 0.15, at most 12 decimals");
        }
        for (const SpecNode& time :
             {node.member("timeout"),
              node.member("retry").member("initial"),
              node.member("retry").member("maximum")}) {
            if (time.is_text() && !paths_.covers(time.path()) &&
                !(time.duration().value_or(Seconds(0)).count() > 0)) {
                report(time, "must be longer than nothing");
            }
        }
        const SpecNode retry = node.member("retry");
        if (spec_.run.retry.initial > spec_.run.retry.maximum &&
            !paths_.covers(retry.member("initial").path()) &&
            !paths_.covers(retry.member("maximum").path())) {
            report(retry.member("initial"), "must not exceed `maximum`");
        }
        for (const SpecNode& model : root_.member("models").entries()) {
            for (const auto& [name, price] : model.member("pricing").members()) {
                if (price.given() && !price.money() && !paths_.covers(price.path())) {
                    report(price, "must be an amount with at most 12 decimals");
                }
            }
        }
    }

    void check_gate(const SpecNode& gate) {
        if (!gate.is_object()) {
            return;
        }
        exactly_one(gate, "metric", "figure");
        const bool bounds = gate.has("min") || gate.has("max");
        if (gate.has("figure")) {
            for (const char* key : {"variant", "verdict", "use_interval"}) {
                if (gate.has(key)) {
                    report(gate.member(key), "goes with `metric`, not with `figure`");
                }
            }
        } else if (gate.has("verdict") && bounds) {
            report(gate.member("verdict"), "`verdict` and `min`/`max` exclude each other");
        } else if (gate.has("verdict") && gate.has("use_interval")) {
            report(gate.member("use_interval"), "goes with `min`/`max`");
        }
        if (!bounds && !gate.has("verdict") && (gate.has("metric") || gate.has("figure")) &&
            !paths_.misspelled(gate.member("max").path()) &&
            !paths_.misspelled(gate.member("verdict").path())) {
            missing(
                gate.member("min"),
                gate.has("metric") ? "`min`, `max` or `verdict` is missing"
                                   : "`min` or `max` is missing"
            );
        }
        const auto least = gate.member("min").number();
        const auto most = gate.member("max").number();
        if (least && most && *least > *most) {
            report(gate.member("min"), "must not exceed `max`");
        }
        variant_known(gate.member("variant"), "variant");
    }

    const SpecNode& root_;
    const ExperimentSpec& spec_;
    std::vector<Detail>& problems_;
    const ProblemPaths paths_;  ///< of the problems there were before
    std::vector<std::string> variants_;
    bool names_known_ = true;
};

}  // namespace

void check_prompts_given(
    const SpecNode& root, const ExperimentSpec& spec, std::vector<Detail>& problems
) {
    if (!root.is_object() || root.has("prompts")) {
        return;
    }
    const ProblemPaths paths(problems);
    const std::vector<SpecNode> models = root.member("models").entries();
    bool replays = true;
    for (std::size_t i = 0; i < models.size(); ++i) {
        replays = replays && is_replay(models[i], spec.models[i], paths);
    }
    if (!replays && !paths.misspelled("prompts")) {
        problems.push_back({"prompts", "required key \"prompts\" is missing"});
    }
}

void check_spec(const SpecNode& root, const ExperimentSpec& spec, std::vector<Detail>& problems) {
    Checker(root, spec, problems).run();
}

}  // namespace lab::domain
