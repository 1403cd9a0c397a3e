#pragma once
#include "storage/store/session.h"

#include <memory>
#include <string_view>

namespace lab::storage {

/// What a statement does and to which table, as metrics name it: "select", "insert", "update",
/// "delete", "begin", "commit", "other"; the table it begins with, "none" without one.
struct StatementKind {
    std::string_view type;
    std::string_view table;
};
StatementKind kind_of(std::string_view sql);

/// Is told of the statements of one kind. Any thread.
class StatementMeter {
  public:
    virtual ~StatementMeter() = default;
    /// `took`: with the rows that were read. `error`: null when it went well.
    virtual void done(std::string_view query, Duration took, const Error* error) = 0;
};

/// Where meters come from. Any thread.
class StatementObserver {
  public:
    virtual ~StatementObserver() = default;
    /// Lives as long as the observer.
    virtual StatementMeter& meter(const StatementKind& kind) = 0;
    virtual void connection_failed(const Error& error) = 0;
};

/// The same database, whose sessions tell of what they do. `clock` and `observer` outlive it.
std::unique_ptr<Database> observe_database(
    std::unique_ptr<Database> database, const Clock& clock, StatementObserver& observer
);

}  // namespace lab::storage
