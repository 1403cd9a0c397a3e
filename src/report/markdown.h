#pragma once
#include "report/model.h"
#include "report/sink.h"

#include <cstddef>

namespace lab::report {

struct MarkdownOptions {
    std::size_t comparisons_max = 60;  ///< GitHub refuses comments beyond 65,536 characters
};

/// GitHub-flavoured Markdown, made to be posted as a comment: answer first, tables, the rest
/// folded. Text from outside can neither break a table nor bring in HTML, links, images or
/// mentions.
Status write_markdown(const Report& report, const Sink& sink, const MarkdownOptions& options = {});

}  // namespace lab::report
