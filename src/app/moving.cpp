#include "app/moving.h"

#include "app/secrets.h"
#include "app/wire.h"
#include "base/text.h"
#include "base/time_text.h"
#include "platform/crypto/sha256.h"
#include "storage/objects/file_error.h"
#include "storage/objects/folder.h"
#include "storage/objects/tar.h"
#include "storage/store/postgres.h"
#include "storage/store/sqlite.h"
#include "storage/store/store_copy.h"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace lab::app {
namespace {

namespace fs = std::filesystem;
using cli::Moved;
using cli::MoveRequest;

constexpr Duration kTimeMax = std::chrono::hours(24);
constexpr std::string_view kSqlite = "sqlite:";
constexpr const char* kAbout = "about.json";  // first in every archive
constexpr const char* kDatabase = "lab.db";
constexpr const char* kSecret = "jwt.secret";
constexpr std::string_view kObjects = "objects/";
constexpr int kFormat = 1;
constexpr std::size_t kAboutBytesMax = 64U << 10;

// migrate-store

struct Place {
    std::unique_ptr<storage::Database> database;
    bool is_postgres = false;
};

/// "sqlite:FILE", "sqlite:HOME" or "postgresql://...". With the schema of this release.
Result<Place> open_place(
    const Ctx& ctx, const EnvLookup& environment, const std::string& text, bool has_to_be_there
) {
    LAB_TRY(
        const std::string url, plain_setting(environment, has_to_be_there ? "--from" : "--to", text)
    );
    Place out;
    if (url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        out.is_postgres = true;
        storage::PostgresOptions options{.url = url, .application_name = "llm-research moving"};
        LAB_TRY(out.database, storage::open_postgres(std::move(options)));
    } else if (url.starts_with(kSqlite) && url.size() > kSqlite.size()) {
        fs::path path = url.substr(kSqlite.size());
        std::error_code code;
        if (fs::is_directory(path, code)) {
            path /= kDatabase;
        }
        if (has_to_be_there && !fs::exists(path, code)) {
            return Error(Code::not_found, "there is no " + path.string());
        }
        LAB_TRY(out.database, storage::open_sqlite(ctx, {.path = path.string()}));
    } else {
        return Error(
            Code::validation,
            "a store is sqlite:FILE (or sqlite:FOLDER, a home) or postgresql://USER@HOST/DATABASE"
        );
    }
    LAB_CHECK(out.database->migrate(ctx));
    return out;
}

Result<Moved> migrate_store(
    const Ctx& ctx, const EnvLookup& environment, const MoveRequest& request
) {
    LAB_TRY(const Place from, open_place(ctx, environment, request.from, true));
    LAB_TRY(const Place to, open_place(ctx, environment, request.to, false));
    LAB_TRY(
        const auto tables,
        storage::copy_store(
            ctx,
            {.database = from.database.get(), .is_postgres = from.is_postgres},
            {.database = to.database.get(), .is_postgres = to.is_postgres}
        )
    );
    Moved out;
    std::vector<std::string> unequal;
    for (const storage::TableCopied& one : tables) {
        out.tables.push_back(
            {one.table,
             std::to_string(one.rows),
             std::to_string(one.copied),
             one.hash_to.substr(0, 16),
             one.is_equal() ? "yes" : "NO"}
        );
        if (!one.is_equal()) {
            unequal.push_back(one.table);
        }
    }
    if (!unequal.empty()) {
        return Error(
            Code::conflict,
            "the two stores differ in " + join(unequal, ", ") +
                ": somebody wrote meanwhile. Stop everything that uses them and call this again"
        );
    }
    out.notes.emplace_back(
        "files of runs and rows of datasets are not in the database: take the folder \"objects\" "
        "of "
        "the home along, or copy what is in the bucket (docs/operations)"
    );
    return out;
}

// backup

bool is_object(const fs::path& file) { return !storage::hash_of_path(file.string()).empty(); }

/// Every object of the home: its name in the archive, its file.
Result<std::vector<std::pair<std::string, std::string>>> list_objects(const fs::path& home) {
    std::vector<std::pair<std::string, std::string>> out;
    const fs::path root = home / "objects";
    std::error_code code;
    if (!fs::exists(root, code)) {
        return out;
    }
    for (fs::recursive_directory_iterator at(root, code), end; at != end; at.increment(code)) {
        if (at->is_regular_file(code) && is_object(at->path())) {
            out.emplace_back(
                "objects/" + at->path().lexically_relative(root).string(), at->path().string()
            );
        }
        if (code) {
            break;
        }
    }
    if (code) {
        return Error(Code::io, "cannot read " + root.string() + ": " + code.message());
    }
    std::ranges::sort(out);
    return out;
}

Error not_embedded() {
    return {
        Code::validation,
        "DATABASE_URL is set, and this is for the embedded store: pg_dump and psql do it for "
        "PostgreSQL (docs/operations)"
    };
}

/// A file that goes with this.
class Scrap {
  public:
    explicit Scrap(std::string path) : path_(std::move(path)) {}
    Scrap(const Scrap&) = delete;
    Scrap& operator=(const Scrap&) = delete;
    ~Scrap() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

Result<Moved> backup(const Ctx& ctx, const fs::path& home, const MoveRequest& request) {
    const fs::path source = home / kDatabase;
    std::error_code code;
    if (!fs::exists(source, code)) {
        return Error(Code::not_found, "there is no store in " + home.string());
    }
    LAB_TRY(auto archive, storage::TarWriter::create(request.to));
    const Scrap copy(request.to + ".db");
    fs::remove(copy.path(), code);  // of a backup that was killed
    LAB_TRY(const auto database, storage::open_sqlite(ctx, {.path = source.string()}));
    LAB_TRY(const auto session, database->open_session(ctx));
    LAB_CHECK(storage::copy_sqlite(ctx, *session, copy.path()));
    // Objects come after the database: whatever that refers to was there before.
    LAB_TRY(const auto objects, list_objects(home));
    const Json about = {
        {"format", kFormat},
        {"program", version()},
        {"made_at", format_rfc3339(ctx.clock().wall())},
    };
    LAB_CHECK(archive.add_text(kAbout, dump_json(about)));
    LAB_CHECK(archive.add_file(kDatabase, copy.path()));
    LAB_CHECK(archive.add_file(kSecret, (home / kSecret).string()));
    std::size_t kept = 0;
    for (const auto& [name, file] : objects) {
        LAB_CHECK(ctx.check());
        LAB_TRY(const bool is_there, archive.add_file(name, file));
        kept += is_there ? 1 : 0;
    }
    LAB_CHECK(archive.finish());
    Moved out;
    out.fields = {
        {"file", request.to},
        {"bytes", std::to_string(fs::file_size(request.to, code))},
        {"objects", std::to_string(kept)},
    };
    out.notes.emplace_back(
        "it holds the secret that signs tokens, and everybody's data: keep it as you keep those"
    );
    return out;
}

// restore

/// Writes an entry into a file of its own. Gives the hash of its bytes.
Result<std::string> unpack(storage::TarEntry& entry, const fs::path& to) {
    std::error_code code;
    LAB_CHECK(storage::make_folders(to.parent_path().string()));
    const int fd = ::open(to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return storage::file_error("write", to.string(), errno);
    }
    const std::unique_ptr<const int, void (*)(const int*)> closes(&fd, [](const int* open) {
        ::close(*open);
    });
    Sha256 hash;
    std::vector<char> piece(256U << 10);
    for (;;) {
        LAB_TRY(const std::size_t got, entry.read(piece.data(), piece.size()));
        if (got == 0) {
            break;
        }
        hash.update({piece.data(), got});
        if (::write(fd, piece.data(), got) != static_cast<ssize_t>(got)) {
            return storage::file_error("write", to.string(), errno);
        }
    }
    if (::fsync(fd) != 0) {
        return storage::file_error("write", to.string(), errno);
    }
    return to_hex(hash.finish());
}

Status check_about(storage::TarEntry& entry) {
    std::string text(std::min<std::uint64_t>(entry.size, kAboutBytesMax), '\0');
    LAB_TRY(const std::size_t got, entry.read(text.data(), text.size()));
    text.resize(got);
    const auto about = parse_json(text);
    if (!about || !about->is_object() || about->value("format", Json()) != kFormat) {
        return Error(Code::validation, "the archive is of another release of this program");
    }
    return ok();
}

/// The archive, whole and checked, in a folder. Gives how many objects.
Result<std::size_t> unpack_all(const std::string& file, const fs::path& folder) {
    std::size_t entries = 0;
    std::size_t objects = 0;
    bool has_database = false;
    LAB_CHECK(storage::read_tar(file, [&](storage::TarEntry& entry) -> Status {
        if (entries++ == 0) {
            return entry.name == kAbout
                       ? check_about(entry)
                       : Status(Error(Code::validation, file + " is no backup of this program"));
        }
        const bool is_object_entry =
            entry.name.starts_with(kObjects) && is_object(folder / entry.name);
        if (!is_object_entry && entry.name != kDatabase && entry.name != kSecret) {
            return Error(Code::validation, file + " holds a file that is no part of a home");
        }
        const fs::path to = folder / entry.name;
        LAB_TRY(const std::string hash, unpack(entry, to));
        if (is_object_entry && hash != storage::hash_of_path(to.string())) {
            return Error(Code::io, file + " is damaged: " + entry.name + " is not what it was");
        }
        objects += is_object_entry ? 1 : 0;
        has_database = has_database || entry.name == kDatabase;
        return ok();
    }));
    return has_database ? Result<std::size_t>(objects)
                        : Error(Code::validation, file + " holds no store");
}

Status check_unpacked(const Ctx& ctx, const fs::path& folder) {
    const std::string path = (folder / kDatabase).string();
    LAB_TRY(const auto database, storage::open_sqlite(ctx, {.path = path}));
    LAB_CHECK(database->migrate(ctx));  // of a newer release: it says so
    {
        LAB_TRY(const auto session, database->open_session(ctx));
        LAB_CHECK(storage::verify_sqlite(ctx, *session));
    }
    return storage::close_sqlite_log(ctx, path);
}

Status put_in_place(const fs::path& from, const fs::path& to) {
    LAB_CHECK(storage::make_folders(to.parent_path().string()));
    if (::rename(from.c_str(), to.c_str()) != 0) {
        return storage::file_error("write", to.string(), errno);
    }
    return storage::sync_folder(to.parent_path().string());
}

Status check_target(const Ctx& ctx, const fs::path& home, bool force) {
    const fs::path there = home / kDatabase;
    std::error_code code;
    if (!fs::exists(there, code)) {
        return ok();
    }
    if (!force) {
        return Error(
            Code::conflict,
            home.string() +
                " holds a store: name an empty home (LLM_RESEARCH_HOME), or replace "
                "what is there with --force"
        );
    }
    return storage::close_sqlite_log(ctx, there.string());
}

/// Objects first and the database last: until then the old store is whole.
Result<Moved> restore(const Ctx& ctx, const fs::path& home, const MoveRequest& request) {
    LAB_CHECK(check_target(ctx, home, request.force));
    LAB_CHECK(storage::make_folders(home.string()));
    std::string name = (home / "restore-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) {
        return storage::file_error("write", home.string(), errno);
    }
    const Scrap folder(name);
    LAB_TRY(const std::size_t objects, unpack_all(request.from, folder.path()));
    LAB_CHECK(check_unpacked(ctx, folder.path()));
    LAB_TRY(const auto unpacked, list_objects(folder.path()));
    for (const auto& [entry, file] : unpacked) {
        LAB_CHECK(put_in_place(file, home / entry));
    }
    const fs::path from = folder.path();
    std::error_code code;
    LAB_CHECK(check_target(ctx, home, request.force));
    if (fs::exists(from / kSecret, code)) {
        LAB_CHECK(put_in_place(from / kSecret, home / kSecret));
    }
    LAB_CHECK(put_in_place(from / kDatabase, home / kDatabase));
    Moved out;
    out.fields = {{"home", home.string()}, {"objects", std::to_string(objects)}};
    return out;
}

}  // namespace

Result<Moved> move_store(
    const Settings& settings, const EnvLookup& environment, const MoveRequest& request
) {
    const SystemClock clock;
    const Ctx ctx = Ctx(clock).within(kTimeMax);
    if (request.what == MoveRequest::What::store) {
        return migrate_store(ctx, environment, request);
    }
    if (!trim_ascii(environment("DATABASE_URL").value_or("")).empty()) {
        return not_embedded();
    }
    return request.what == MoveRequest::What::backup ? backup(ctx, settings.home, request)
                                                     : restore(ctx, settings.home, request);
}

}  // namespace lab::app
