#include "app/doctor.h"

#include "base/text.h"
#include "platform/config/named_secrets.h"
#include "providers/factory.h"
#include "service/datasets.h"
#include "service/runs.h"

#include <sys/resource.h>

#include <filesystem>
#include <fstream>

namespace lab::app {
namespace {

namespace fs = std::filesystem;
constexpr std::uintmax_t kFreeBytesWanted = 1ULL << 30;
constexpr rlim_t kFilesWanted = 4096;

cli::Finding check_home(const Settings& settings) {
    std::error_code code;
    fs::create_directories(settings.home, code);
    const fs::path probe = fs::path(settings.home) / ".write-probe";
    const bool writable = static_cast<bool>(std::ofstream(probe) << "x");
    fs::remove(probe, code);
    return {
        "home folder is writable",
        writable,
        settings.home,
        writable ? "" : "mend its permissions, or set LLM_RESEARCH_HOME to another folder"
    };
}

cli::Finding check_space(const Settings& settings) {
    std::error_code code;
    const fs::space_info space = fs::space(settings.home, code);
    const bool enough = !code && space.available >= kFreeBytesWanted;
    const std::string found =
        code ? "unknown" : std::to_string(space.available >> 20) + " MiB free";
    return {"space on its disk", enough, found, enough ? "" : "free some space: 1 GiB is little"};
}

cli::Finding check_store(const Result<service::Deps*>& services) {
    if (!services) {
        return {"store opens", false, services.error().message, "see the message"};
    }
    const Ctx ctx = Ctx(*(*services)->clock).within(std::chrono::seconds(30));
    const auto runs = service::list_runs(ctx, **services, 1);
    return {
        "store opens and answers",
        runs.has_value(),
        runs ? "schema up to date" : runs.error().message,
        runs ? "" : "see the message"
    };
}

cli::Finding check_files() {
    rlimit files{};
    ::getrlimit(RLIMIT_NOFILE, &files);
    const bool enough = files.rlim_cur >= kFilesWanted;
    return {
        "open files allowed",
        enough,
        std::to_string(files.rlim_cur),
        enough ? "" : "raise `ulimit -n`: each call in flight needs one"
    };
}

cli::Finding check_certificates() {
    for (const char* path :
         {"/etc/ssl/certs/ca-certificates.crt",
          "/etc/pki/tls/certs/ca-bundle.crt",
          "/etc/ssl/cert.pem"}) {
        if (fs::exists(path)) {
            return {"certificates of authorities", true, path, ""};
        }
    }
    return {
        "certificates of authorities",
        false,
        "none found",
        "install ca-certificates: TLS connections are always verified"
    };
}

/// Names only: which keys are set. None is needed for replay and local servers.
cli::Finding list_keys(const EnvLookup& env) {
    std::vector<std::string> set;
    std::vector<std::string> named;
    for (const std::string& provider : providers::provider_names()) {
        const std::string variable = providers::default_key_variable(provider);
        const auto value = variable.empty() ? std::nullopt : env(variable);
        if (value && std::ranges::find(set, variable) == set.end()) {
            set.push_back(variable);
            const bool is_named = value->starts_with(kSecretScheme);
            named.push_back(is_named ? variable + " (secrets service)" : variable);
        }
    }
    return {"provider keys set", true, set.empty() ? "none" : join(named, ", "), ""};
}

}  // namespace

std::vector<cli::Finding> examine(
    const Settings& settings,
    const EnvLookup& env,
    const std::function<Result<service::Deps*>(const Settings&)>& open
) {
    std::vector<cli::Finding> findings;
    findings.push_back(check_home(settings));
    findings.push_back(check_space(settings));
    findings.push_back(check_store(open(settings)));
    findings.push_back(check_files());
    findings.push_back(check_certificates());
    findings.push_back(list_keys(env));
    return findings;
}

}  // namespace lab::app
