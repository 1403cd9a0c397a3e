#pragma once
#include "platform/crypto/signing_keys.h"
#include "service/caller.h"
#include "service/request.h"
#include "service/signed_address.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Files that belong to runs: what a client keeps beside its samples, whoever carries the run out.
/// The bytes are content-addressed objects; two artifacts of the same bytes share one.
namespace lab::service {

/// What is said of an artifact before its bytes come.
struct ArtifactPlan {
    std::string name;        ///< a file name, see check_artifact_name
    std::string type;        ///< model_output, intermediate_result, log, visualization, report ...
    std::string mime_type;   ///< "text/csv"; empty = application/octet-stream
    std::int64_t bytes = 0;  ///< that are to come; 0 = not said
};
/// JSON Schema of {name, artifact_type, mime_type}.
const Json& artifact_plan_schema();
/// A name that is safe as a file's on every system and in a header: 1 to 255 bytes of letters,
/// digits, spaces and ._()+=@,- not beginning with a dot, hyphen or space, not ending with a dot or
/// space. Errors: validation.
Status check_artifact_name(std::string_view name);

/// Bytes on their way to an artifact. Nothing stays unless it is kept (keep_artifact). One thread
/// at a time.
class ArtifactBytes {
  public:
    ArtifactBytes();
    ~ArtifactBytes();
    ArtifactBytes(const ArtifactBytes&) = delete;
    ArtifactBytes& operator=(const ArtifactBytes&) = delete;
    /// Errors: io; payload_too_large beyond what the run may still take.
    Status write(std::string_view bytes);

  private:
    friend Result<std::unique_ptr<ArtifactBytes>>
    begin_artifact(const Request&, const std::string&, const std::string&, const ArtifactPlan&);
    friend Result<Json>
    keep_artifact(const Request&, const std::string&, const std::string&, ArtifactBytes&);
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

/// Everything that can be refused before the first byte. A run takes 10,000 artifacts and 50 GiB.
/// Errors: forbidden, not_found, validation, payload_too_large.
Result<std::unique_ptr<ArtifactBytes>> begin_artifact(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const ArtifactPlan& plan
);
/// The bytes are all there. Gives the artifact as it is shown.
Result<Json> keep_artifact(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    ArtifactBytes& bytes
);

struct ArtifactList {
    std::vector<Json> rows;
    std::int64_t total = 0;
    bool more = false;
    std::int64_t last = 0;  ///< for `below`
};
/// Newest first.
Result<ArtifactList> list_artifacts(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    std::optional<std::int64_t> below,
    std::int64_t limit,
    std::int64_t offset
);
Result<Json> get_artifact(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::string& id
);
/// Takes it away, and its bytes when nothing else needs them. Gives it as it was.
Result<Json> remove_artifact(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::string& id
);

/// A file to send out.
struct FileToSend {
    std::string path;
    std::string name;
    std::string mime_type;
    std::string content_hash;
    std::int64_t bytes = 0;
};
Result<FileToSend> artifact_file(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const std::string& id
);

/// A signed address that takes the bytes of one artifact.
struct ArtifactLink {
    AddressHolder holder;
    std::string experiment;
    std::string run;
    ArtifactPlan plan;
};
/// Errors: those of begin_artifact.
Result<ArtifactLink> prepare_artifact(
    const Request& request,
    const std::string& experiment,
    const std::string& run,
    const ArtifactPlan& plan
);
std::string sign_artifact_link(const ArtifactLink& link, const SigningKeys& signing);
/// Errors: forbidden, as bad_address.
Result<ArtifactLink> read_artifact_link(
    std::string_view token,
    std::string_view experiment,
    std::string_view run,
    WallTime now,
    const SigningKeys& signing
);
/// Whoever the link acts for, with the right to run experiments and no other.
Caller artifact_link_caller(const ArtifactLink& link, const Caller& bearer);

}  // namespace lab::service
