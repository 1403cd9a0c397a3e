#include "domain/impl/spec_variants.h"

#include "base/text.h"
#include "domain/impl/spec_words.h"
#include "platform/json/document.h"

namespace lab::domain {
namespace {

/// A parameter's value within an id: short, one line.
std::string value_text(const Json& value) {
    std::string text = value.is_string() ? value.get<std::string>() : dump_json(value);
    for (char& c : text) {
        c = static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
    return shorten(text, 40);
}

std::string suffix_of(const Json& parameters) {
    std::string out;
    for (const auto& [name, value] : parameters.items()) {
        out += (out.empty() ? ":" : ",") + name + "=" + value_text(value);
    }
    return out;
}

Json overlay(Json base, const Json& top) {
    for (const auto& [name, value] : top.items()) {
        base[name] = value;
    }
    return base;
}

/// Whether every entry has its name under one of `keys` (or is text and has a number).
bool all_named(
    const SpecNode& list, std::initializer_list<std::string_view> keys, const ProblemPaths& paths
) {
    const auto read = [&](const SpecNode& entry, std::string_view key) {
        return !paths.covers(entry.member(key).path());
    };
    return !paths.covers(list.path()) &&
           std::ranges::all_of(list.entries(), [&](const SpecNode& entry) {
               const bool named = std::ranges::any_of(keys, [&](std::string_view key) {
                   return entry.is_text() || entry.has(key);
               });
               return named && std::ranges::all_of(keys, [&](std::string_view key) {
                          return read(entry, key);
                      });
           });
}

class Resolver {
  public:
    Resolver(const SpecNode& root, ExperimentSpec& spec, std::vector<Detail>& problems)
        : spec_(spec), problems_(problems) {
        const ProblemPaths paths(problems);
        models_named_ = models_named(root, paths);
        prompts_named_ = prompts_named(root, paths);
        for (const ModelSpec& model : spec.models) {
            models_.push_back(model.id);
        }
        for (const PromptSpec& prompt : spec.prompts) {
            prompts_.push_back(prompt.id);
        }
        const auto unique = [](std::vector<std::string> names) {
            std::ranges::sort(names);
            return std::ranges::adjacent_find(names) == names.end();
        };
        names_differ_ = unique(models_) && unique(prompts_);
    }

    void matrix(const SpecNode& source) {
        const auto models = chosen(source.member("models"), "model", models_);
        const auto prompts = chosen(source.member("prompts"), "prompt", prompts_);
        std::size_t count = models.size() * prompts.size();
        auto sweep = source.member("sweep").members();
        // What is no list of values does not keep the others from being checked.
        std::erase_if(sweep, [](const auto& parameter) {
            return parameter.second.entries().empty();
        });
        for (const auto& [name, values] : sweep) {
            count = std::min(count, kVariantsMax + 1) * values.entries().size();
        }
        if (count > kVariantsMax) {
            problems_.push_back(
                {source.path(),
                 "makes more than " + std::to_string(kVariantsMax) +
                     " variants: name fewer models, prompts or swept values"}
            );
            return;
        }
        const std::vector<Own> combinations = product(sweep);
        for (const std::size_t model : models) {
            for (const std::size_t prompt : prompts) {
                for (const Own& own : combinations) {
                    add(model, prompt, "", own, source.path());
                }
            }
        }
    }

    void one(const SpecNode& source) {
        if (!source.is_object()) {
            return;
        }
        const auto model = only_or_named(source, "model", models_);
        const auto prompt = only_or_named(source, "prompt", prompts_);
        if (model && prompt) {
            Own own;
            for (const auto& [name, value] : source.member("parameters").members()) {
                own.values[name] = value.json();
                own.paths.emplace_back(name, value.path());
            }
            add(*model, *prompt, source.member("id").text(), own, source.path());
        }
    }

  private:
    /// A variant's own parameters and where each is written.
    struct Own {
        Json values = Json::object();
        std::vector<std::pair<std::string, std::string>> paths;
    };

    std::optional<std::size_t> find(
        const SpecNode& name, std::string_view what, const std::vector<std::string>& known
    ) {
        const auto at = std::ranges::find(known, name.text());
        if (at != known.end()) {
            return static_cast<std::size_t>(at - known.begin());
        }
        if (name.is_text() && (&known == &models_ ? models_named_ : prompts_named_)) {
            problems_.push_back({name.path(), unknown_name(what, name.text(), known)});
        }
        return std::nullopt;
    }
    /// Positions of the names in a list; all when there is no list.
    std::vector<std::size_t> chosen(
        const SpecNode& names, std::string_view what, const std::vector<std::string>& known
    ) {
        std::vector<std::size_t> out;
        if (!names.given()) {
            for (std::size_t i = 0; i < known.size(); ++i) {
                out.push_back(i);
            }
        }
        for (const SpecNode& name : names.entries()) {
            if (const auto at = find(name, what, known)) {
                if (std::ranges::find(out, *at) != out.end()) {
                    problems_.push_back({name.path(), "\"" + name.text() + "\" is listed twice"});
                } else {
                    out.push_back(*at);
                }
            }
        }
        return out;
    }
    std::optional<std::size_t> only_or_named(
        const SpecNode& variant, std::string_view what, const std::vector<std::string>& known
    ) {
        const SpecNode name = variant.member(what);
        if (name.given()) {
            return find(name, what, known);
        }
        if (known.size() == 1) {
            return 0;
        }
        if (!known.empty()) {
            problems_.push_back(
                {name.path(),
                 "required key \"" + std::string(what) + "\" is missing: there are several " +
                     std::string(what) + "s"}
            );
        }
        return std::nullopt;
    }
    static std::vector<Own> product(const std::vector<std::pair<std::string, SpecNode>>& sweep) {
        std::vector<Own> out{Own()};
        for (const auto& [name, values] : sweep) {
            std::vector<Own> longer;
            for (const Own& combination : out) {
                for (const SpecNode& value : values.entries()) {
                    longer.push_back(combination);
                    longer.back().values[name] = value.json();
                    longer.back().paths.emplace_back(name, value.path());
                }
            }
            out = std::move(longer);
        }
        return out;
    }
    void add(
        std::size_t model,
        std::size_t prompt,
        std::string id,
        const Own& own,
        const std::string& path
    ) {
        if (id.empty()) {
            if (models_.size() == 1 && prompts_.size() > 1) {
                id = prompts_[prompt];
            } else {
                id = models_[model] + (prompts_.size() > 1 ? "/" + prompts_[prompt] : "");
            }
            id += suffix_of(own.values);
        }
        const bool taken =
            std::ranges::find(spec_.variants, id, &Variant::id) != spec_.variants.end();
        if (taken && names_differ_) {
            problems_.push_back(
                {path_member(path, "id"),
                 "two variants have the id \"" + id + "\": give each its own `id`"}
            );
        }
        Variant variant;
        variant.id = std::move(id);
        variant.model = model;
        variant.prompt = prompt;
        variant.parameters = overlay(spec_.models[model].parameters, own.values);
        variant.path = path;
        variant.own = own.paths;
        spec_.variants.push_back(std::move(variant));
    }

    ExperimentSpec& spec_;
    std::vector<Detail>& problems_;
    std::vector<std::string> models_;
    std::vector<std::string> prompts_;
    bool models_named_ = true;
    bool prompts_named_ = true;
    bool names_differ_ = true;  ///< otherwise that is reported, and equal variants follow from it
};

}  // namespace

std::string unknown_name(
    std::string_view what, const std::string& name, const std::vector<std::string>& known
) {
    std::string message = "unknown " + std::string(what) + " \"" + shorten(name, 60) + "\"";
    const std::string near = nearest(name, known);
    if (!near.empty()) {
        return message + ", did you mean \"" + near + "\"?";
    }
    return message + (known.empty() ? "" : "; there are " + shorten(join(known, ", "), 200));
}

bool models_named(const SpecNode& root, const ProblemPaths& paths) {
    return all_named(root.member("models"), {"id", "model"}, paths);
}
bool prompts_named(const SpecNode& root, const ProblemPaths& paths) {
    return all_named(root.member("prompts"), {"id"}, paths);
}

void resolve_variants(const SpecNode& root, ExperimentSpec& spec, std::vector<Detail>& problems) {
    Resolver resolver(root, spec, problems);
    const SpecNode source = root.member("variants");
    if (source.is_array()) {
        const std::vector<SpecNode> entries = source.entries();
        // The schema has reported what goes beyond.
        for (std::size_t i = 0; i < std::min(entries.size(), kVariantsMax); ++i) {
            resolver.one(entries[i]);
        }
    } else {
        resolver.matrix(source);
    }
}

}  // namespace lab::domain
