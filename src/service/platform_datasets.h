#pragma once
#include "service/dataset_links.h"
#include "service/nouns.h"
#include "storage/objects/dataset_file.h"
#include "storage/store/dataset_versions.h"

/// Datasets of the service: a name, and rows that came in versions.
namespace lab::service {

/// pending_upload until rows arrive, validating while the first ones are read, ready, or failed
/// when the first ones were bad. A version never changes; rows that the dataset had before are that
/// older version again, which is then the one in use.
const Noun& dataset_noun();

/// JSON Schemas of the bodies of plan_version and prepare_upload.
const Json& version_plan_schema();
const Json& upload_schema();

/// Content hash of the rows that a use of the dataset gets now. Errors: not_found as need_noun;
/// invalid_state while no data has arrived.
Result<std::string> latest_rows(const Request& request, const std::string& dataset_id);
/// The rows of a version, for use and not to be sent out: a number, an id or a label, or "latest".
/// Errors: as latest_rows; not_found, of the version.
Result<storage::StoredRows> rows_of_version(
    const Request& request, const std::string& dataset_id, const std::string& version
);
/// The file of these rows, for storage::DatasetFile::open. Errors: as latest_rows.
Result<std::string> rows_file(const Request& request, const std::string& dataset_id);

/// Says what the next rows are to be called: {version (a label), description, changelog}. The
/// version is shown as it will be, without rows. Errors: conflict (the label is taken).
Result<Json> plan_version(const Request& request, const std::string& id, const Json& body);
struct VersionList {
    std::vector<Json> rows;
    std::int64_t total = 0;
    bool more = false;
    std::int64_t last = 0;  ///< number of the last one, for `below`
};
/// Newest first, one that is planned in front. `below`: only those of smaller numbers.
Result<VersionList> list_versions(
    const Request& request,
    const std::string& id,
    std::optional<std::int64_t> below,
    std::int64_t limit,
    std::int64_t offset
);

/// Rows on their way into a dataset.
struct Arrival {
    std::string path;    ///< of the file that holds them
    std::string format;  ///< jsonl, json, csv, tsv, parquet, text; empty = the dataset's own
    std::string source;  ///< what the file was called, for messages
    std::string label;
    std::string description;
    std::string changelog;
};
struct Arrived {
    Json version;
    bool is_new = true;  ///< false: the dataset had these rows before
};
/// Streams the rows into the store, held against the dataset's schema; all or none. Errors:
/// validation with one detail for each bad row ("line 12: ..."; at most 20), conflict (the label is
/// taken), those of need_noun.
Result<Arrived> take_rows(const Request& request, const std::string& id, const Arrival& arrival);
/// The same of bytes in memory; `arrival.path` does not count.
Result<Arrived> take_bytes(
    const Request& request, const std::string& id, Arrival arrival, std::string_view bytes
);
/// Rows that come piece by piece: kept in a file until they are taken. One thread at a time.
class ArrivingRows {
  public:
    /// Everything that can be refused before the first byte. Errors: those of need_noun, validation
    /// (format), io.
    static Result<std::unique_ptr<ArrivingRows>> begin(
        const Request& request, const std::string& id, Arrival arrival
    );
    ~ArrivingRows();
    ArrivingRows(const ArrivingRows&) = delete;
    ArrivingRows& operator=(const ArrivingRows&) = delete;
    /// Errors: io.
    Status write(std::string_view bytes);
    /// As take_rows.
    Result<Arrived> take(const Request& request, const std::string& id);

  private:
    struct Impl;
    explicit ArrivingRows(std::unique_ptr<Impl> impl);
    std::unique_ptr<Impl> impl_;
};
/// What the holder of an upload address may say of the rows: what was announced.
Arrival arrival_of(const DatasetLink& link);

/// Permission to upload: what a signed address is to say, from {filename, content_type, format,
/// size_bytes, version, description, changelog}; its version is the number the rows will have.
/// Errors: validation (a format that cannot be read).
Result<DatasetLink> prepare_upload(const Request& request, const std::string& id, const Json& body);
/// Permission to download rows; `version`: a number, an id or a label, empty = those in use.
/// Errors: forbidden, not_found, invalid_state (no data yet).
Result<DatasetLink> prepare_download(
    const Request& request, const std::string& id, const std::string& version
);

/// Rows to send out.
struct RowsToSend {
    std::string dataset_name;
    storage::StoredRows rows;
    std::shared_ptr<const storage::DatasetFile> file;
};
/// `version`: as prepare_download. Errors: the same; io.
Result<RowsToSend> open_rows_of(
    const Request& request, const std::string& id, const std::string& version
);

/// Where rows lie in a bucket; the folder store finds them by their hash.
std::string bucket_path(const std::string& dataset_id, std::int64_t version);

}  // namespace lab::service
