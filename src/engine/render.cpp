#include "engine/render.h"

#include "base/rng.h"
#include "science/prompt/few_shot.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace lab::engine {
namespace {

/// 0-based rows of a split, or all rows.
std::vector<std::int64_t> pool_of(const Items& items, const std::string& split) {
    std::vector<std::int64_t> rows;
    for (std::int64_t row = 0; row < items.file().rows(); ++row) {
        if (!split.empty()) {
            const Json value = items.load_row(row);
            const Json* field = science::find_variable(value, items.spec().split_field);
            if (field == nullptr || field_text(*field) != split) {
                continue;
            }
        }
        rows.push_back(row);
    }
    return rows;
}

/// Where the text of message `m` stands below `path`, in the form the file chose: a mapping with
/// messages, or with a template and perhaps a system message, or the text alone.
std::string text_path(const Json* written, const std::string& path, std::size_t m) {
    if (written != nullptr && written->is_string()) {
        return path;
    }
    if (written != nullptr && written->contains("template")) {
        return path + (m == 0 && written->contains("system") ? ".system" : ".template");
    }
    return path + ".messages[" + std::to_string(m) + "].content";
}

/// The prompt as it was written; nullptr when the spec did not come from a file.
const Json* written_prompt(const Json& source, std::size_t p) {
    const auto prompts = source.find("prompts");
    return prompts != source.end() && prompts->is_array() && p < prompts->size() ? &(*prompts)[p]
                                                                                 : nullptr;
}

}  // namespace

Result<Renderer> Renderer::make(const domain::ExperimentSpec& spec, const Items& items) {
    Renderer renderer;
    renderer.items_ = &items;
    std::vector<Detail> problems;
    for (std::size_t p = 0; p < spec.prompts.size(); ++p) {
        const domain::PromptSpec& from = spec.prompts[p];
        const std::string path = "prompts[" + std::to_string(p) + "]";
        const Json* written = written_prompt(spec.source, p);
        Prompt prompt;
        const auto parse = [&](const domain::Message& message, const std::string& where) {
            auto parsed = science::Template::parse(message.content);
            if (!parsed) {
                problems.push_back({where, parsed.error().message});
                return std::optional<Part>();
            }
            return std::optional<Part>(Part{message.role, std::move(*parsed), where});
        };
        for (std::size_t m = 0; m < from.messages.size(); ++m) {
            if (auto part = parse(from.messages[m], text_path(written, path, m))) {
                prompt.parts.push_back(std::move(*part));
            }
        }
        if (from.few_shot) {
            const std::string where = path + ".few_shot";
            const Json* shot = written != nullptr && written->contains("few_shot")
                                   ? &(*written)["few_shot"]
                                   : nullptr;
            for (std::size_t m = 0; m < from.few_shot->messages.size(); ++m) {
                if (auto part = parse(from.few_shot->messages[m], text_path(shot, where, m))) {
                    prompt.shot.push_back(std::move(*part));
                }
            }
            prompt.shots = from.few_shot->count;
            prompt.seed = from.few_shot->seed;
            prompt.separator = from.few_shot->separator;
            prompt.in_text = from.few_shot->in_text;
            prompt.pool = pool_of(items, from.few_shot->split);
            if (static_cast<std::int64_t>(prompt.pool.size()) <= prompt.shots) {
                problems.push_back(
                    {where + ".count",
                     "asks for " + std::to_string(prompt.shots) + " examples and the pool has " +
                         std::to_string(prompt.pool.size()) +
                         " rows; it needs one more than it gives"}
                );
            }
        }
        renderer.prompts_.push_back(std::move(prompt));
    }
    if (!problems.empty()) {
        return Error(Code::validation, "the prompts are not right", std::move(problems));
    }
    return renderer;
}

std::vector<Renderer::Variable> Renderer::variables() const {
    std::vector<Variable> out;
    for (const Prompt& prompt : prompts_) {
        for (const std::vector<Part>* parts : {&prompt.parts, &prompt.shot}) {
            const auto* rows = parts == &prompt.shot ? &prompt.pool : nullptr;
            for (const Part& part : *parts) {
                for (const std::string& name : part.text.variables()) {
                    out.push_back({part.path, name, rows});
                }
            }
        }
    }
    return out;
}

Result<std::vector<domain::Message>> Renderer::render_shots(const Prompt& prompt, std::int64_t item)
    const {
    std::vector<domain::Message> out;
    const std::int64_t own_row = items_->row_of(item);
    const auto own = std::ranges::lower_bound(prompt.pool, own_row);
    std::optional<std::size_t> exclude;
    if (own != prompt.pool.end() && *own == own_row) {
        exclude = static_cast<std::size_t>(own - prompt.pool.begin());
    }
    const std::uint64_t seed = derive_seed(prompt.seed, "shots/" + std::to_string(own_row));
    for (const std::size_t place : science::choose_few_shot(
             prompt.pool.size(), static_cast<std::size_t>(prompt.shots), seed, exclude
         )) {
        const Json row = items_->load_row(prompt.pool[place]);
        for (const Part& part : prompt.shot) {
            LAB_TRY(std::string text, part.text.render(row));
            out.push_back({part.role, std::move(text)});
        }
    }
    return out;
}

Result<std::vector<domain::Message>> Renderer::render(
    std::size_t prompt_index, const Json& row, std::int64_t item
) const {
    const Prompt& prompt = prompts_[prompt_index];
    std::vector<domain::Message> out;
    out.reserve(prompt.parts.size());
    for (std::size_t i = 0; i < prompt.parts.size(); ++i) {
        const Part& part = prompt.parts[i];
        LAB_TRY(std::string text, part.text.render(row));
        if (i + 1 == prompt.parts.size() && prompt.shots > 0) {
            LAB_TRY(std::vector<domain::Message> shots, render_shots(prompt, item));
            std::string before;
            for (domain::Message& shot : shots) {
                if (prompt.in_text) {
                    before += shot.content + prompt.separator;
                } else {
                    out.push_back(std::move(shot));
                }
            }
            text.insert(0, before);
        }
        out.push_back({part.role, std::move(text)});
    }
    return out;
}

}  // namespace lab::engine
