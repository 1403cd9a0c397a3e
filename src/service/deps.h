#pragma once
#include "base/ctx.h"
#include "base/executor.h"
#include "base/uuid.h"
#include "domain/spec.h"
#include "domain/spec_parse.h"
#include "providers/provider.h"
#include "service/observer.h"
#include "storage/objects/folder.h"
#include "storage/store/session.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lab::service {

class TextCache;
class Outbound;  // service/credentials.h

/// What the use cases stand on; app fills it in once. Everything outlives every call.
struct Deps {
    const Clock* clock = nullptr;
    UuidSource* uuids = nullptr;
    Executor* loop = nullptr;
    /// Runs the loop on this thread until stop_loop().
    std::function<void()> run_loop;
    std::function<void()> stop_loop;
    Worker* worker = nullptr;
    Worker* disk = nullptr;  ///< waits for the disk while the other one works
    /// Opens (and migrates) the store on first use, so that what needs none works without one.
    std::function<Result<storage::Database*>(const Ctx&)> database;
    /// The same for who only reads: makes nothing, and can do without the right to write. Errors:
    /// not_found when there is no store. Empty: as database.
    std::function<Result<storage::Database*>(const Ctx&)> database_to_read;
    std::function<Result<storage::ObjectFolder*>()> objects;
    std::string scratch_folder = "/tmp";  ///< where what is not kept may lie for a moment
    /// Of the locks that say who of this machine works on a run; empty where the store is shared
    /// with other machines.
    std::string lock_folder;
    std::string process_name = "this process";  ///< no other that shares the store has it
    std::string parquet_library;  ///< of DuckDB; empty = where the system keeps libraries

    const domain::SpecVocabulary* vocabulary = nullptr;
    std::function<Result<std::unique_ptr<providers::Provider>>(const domain::ModelSpec&)>
        make_provider;
    std::function<std::vector<Detail>(const domain::ModelSpec&, std::string_view path)> check_model;
    std::function<std::optional<domain::Pricing>(const domain::ModelSpec&)> find_pricing;
    TextCache* report_cache = nullptr;  ///< reports of runs that are over; null: none are kept
    /// The ways out of the service; null: every one (the command line, whose user calls for
    /// himself).
    const Outbound* outbound = nullptr;
    Observer* observer = &no_observer();
    std::string price_table_version;
    std::string software_version;
};

}  // namespace lab::service
