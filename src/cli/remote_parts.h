#pragma once
#include "cli/api_client.h"
#include "domain/spec.h"

#include <functional>
#include <string>

namespace lab::cli {

/// Rows of a dataset at the server.
struct RemoteRows {
    std::string dataset_id;
    std::int64_t version = 0;
};

/// A file of rows as the server would have it.
struct LocalRows {
    std::string name;          ///< of the dataset
    std::string path;          ///< of the file
    std::string format;        ///< empty = from the extension
    std::string content_hash;  ///< SHA-256 of the canonical rows
};

/// Finds these rows at the server, by name and SHA-256, and uploads them only when it does not have
/// them. `say` is told what is sent. Errors: those of the API.
Result<RemoteRows> place_rows(
    ApiClient& client, const LocalRows& rows, const std::function<void(const std::string&)>& say
);
/// SHA-256 of the canonical rows of a file. Errors: those of reading it.
Result<std::string> hash_of_rows(const std::string& path, const std::string& format);

/// Id of a registered model that is what `wanted` (a body for POST /models) says; registered when
/// there is none. Errors: forbidden, saying who can help; those of the API.
Result<std::string> place_model(ApiClient& client, const Json& wanted);
/// Id of an experiment with this config: the one of this name, or, when another config bears it,
/// one whose name has a hash of the config behind. Errors: those of the API.
Result<std::string> place_experiment(ApiClient& client, const Json& wanted);

/// The body that registers a model of an experiment file. Errors: validation (no provider of the
/// service), naming `path`.
Result<Json> model_body(
    const domain::ModelSpec& model, const Json& source, const std::string& path
);

}  // namespace lab::cli
