#pragma once
#include "domain/problem_paths.h"
#include "service/experiment.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

/// The checks of an experiment beyond its text. Each goes as far as it can on a spec that has
/// problems already, and says nothing that follows from one of those.
namespace lab::service {

/// What is wrong with an experiment, from all checks, each problem once.
class Problems {
  public:
    /// `parsed`: what reading the spec has found.
    explicit Problems(std::vector<Detail> parsed);

    /// What could not be read as it was meant: later checks stay away from it.
    const domain::ProblemPaths& unread() const { return unread_; }
    /// Adds a problem unless its place was not read, or it is known.
    void add(std::string path, std::string message);
    /// Whether something is wrong with this value.
    bool has(std::string_view path) const { return unread_.covers(path) || places_.contains(path); }
    bool empty() const { return all_.empty(); }
    std::vector<Detail> take() { return std::move(all_); }

  private:
    domain::ProblemPaths unread_;
    std::set<std::string, std::less<>> places_;
    std::set<std::pair<std::string, std::string>> seen_;
    std::vector<Detail> all_;
};

/// What each model and each variant sends, and whether a hard budget can hold: it needs to know the
/// most that a call can cost. A missing key is only a warning where nothing is sent.
void check_models(const Deps& deps, Purpose purpose, Experiment& experiment, Problems& problems);

/// Recorded outputs: there, and readable with the fields that the spec names.
void check_replays(const Deps& deps, const domain::ExperimentSpec& spec, Problems& problems);

/// Sets experiment.scores when all is well, and gives the fields of the rows that the scorers need,
/// with the path of each.
std::vector<Detail> make_scores(Experiment& experiment, Problems& problems);

/// Reports templates that are none and empties them, so that the rest can be checked with the rows.
void check_templates(domain::ExperimentSpec& spec, Problems& problems);

/// Sets experiment.items, and with no problem at all renderer and plan. Where it is not certain
/// which rows are used (the selection was not read, or leaves nothing) only what no row has counts
/// as missing. `needed`: by the scorers; nullptr: fields are not checked. Errors: io.
Status check_rows(
    const std::string& dataset_path,
    const std::vector<Detail>* needed,
    Experiment& experiment,
    Problems& problems
);

}  // namespace lab::service
