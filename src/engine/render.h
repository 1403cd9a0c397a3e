#pragma once
#include "domain/spec.h"
#include "engine/items.h"
#include "science/prompt/template.h"

#include <string>
#include <vector>

namespace lab::engine {

/// Turns a row into the messages of each prompt. Immutable; any thread.
class Renderer {
  public:
    /// Parses every template. Errors: validation with the path of each broken template.
    static Result<Renderer> make(const domain::ExperimentSpec& spec, const Items& items);
    /// Errors: validation when a variable is missing in the row.
    Result<std::vector<domain::Message>> render(
        std::size_t prompt, const Json& row, std::int64_t item
    ) const;
    /// A variable of a template.
    struct Variable {
        std::string path;  ///< of the template in the spec
        std::string name;
        /// Rows (0-based) that must have it, for few-shot examples; nullptr: the items.
        const std::vector<std::int64_t>* rows = nullptr;
    };
    std::vector<Variable> variables() const;

  private:
    struct Part {
        std::string role;
        science::Template text;
        std::string path;
    };
    struct Prompt {
        std::vector<Part> parts;
        std::vector<Part> shot;
        std::int64_t shots = 0;
        std::uint64_t seed = 0;
        std::string separator;
        bool in_text = false;            ///< shots stand in the last message's text, not before it
        std::vector<std::int64_t> pool;  ///< rows of the dataset
    };
    /// Messages of the item's examples, in order.
    Result<std::vector<domain::Message>> render_shots(const Prompt& prompt, std::int64_t item)
        const;

    const Items* items_ = nullptr;
    std::vector<Prompt> prompts_;
};

}  // namespace lab::engine
