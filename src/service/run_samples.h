#pragma once
#include "domain/run.h"
#include "service/request.h"

#include <optional>
#include <string>
#include <vector>

/// The samples of a run as they are read: of the engine's runs and of clients'.
namespace lab::service {

struct SampleQuery {
    std::optional<std::string> variant;
    std::optional<std::string> status;   ///< done, failed
    std::optional<std::string> outcome;  ///< correct, incorrect, scored, unparsed, error
    std::optional<std::string> tag;      ///< in the row's `tags`
    std::optional<std::string> text;     ///< in the output or the item's id, case ignored
    bool with_item = false;              ///< also the row and the prompt as it was sent
    std::int64_t after = -1;             ///< index of the sample in front
    std::int64_t limit = 20;
    std::int64_t offset = 0;  ///< to leave out of those behind `after`
    bool has_filter() const { return variant || status || outcome || tag || text; }
};
struct SampleList {
    std::vector<Json> rows;
    std::int64_t last = -1;
    bool more = false;
    std::optional<storage::RowCount> total;  ///< stored so far; not counted with a filter
};
/// Reads at most 20,000 samples for one page: with a filter that few pass, a page can be short (or
/// empty) and have more behind `last`. Errors: validation of a filter, not_found.
Result<SampleList> list_samples(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const SampleQuery& query
);
/// The same of a run whose visibility has been checked.
Result<SampleList> samples_of(
    const Request& request, const domain::Run& run, const SampleQuery& query
);
/// One sample whole, with its row and its prompt. `sample`: its index; of a client's run the
/// client's id. Errors: not_found.
Result<Json> get_sample(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::string& sample
);

}  // namespace lab::service
