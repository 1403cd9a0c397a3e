#include "storage/store/impl/sqlite_error.h"

#include "storage/objects/file_error.h"

#include <sqlite3.h>

#include <cerrno>

namespace lab::storage {
namespace {

Error constraint_error(int code, std::string_view doing) {
    switch (code) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_ROWID:
            return {Code::conflict, "exists already (" + std::string(doing) + ")"};
        case SQLITE_CONSTRAINT_FOREIGNKEY:
            return {Code::conflict, "refers to what does not exist (" + std::string(doing) + ")"};
        default:
            return {Code::internal, "the database refused a value (" + std::string(doing) + ")"};
    }
}

/// errno of the operation that failed. A commit that fails leaves it in errno alone, where only
/// what a disk can answer is believed.
int system_error(sqlite3* connection, int last_errno, int otherwise) {
    const int number = connection != nullptr ? sqlite3_system_errno(connection) : 0;
    if (number != 0) {
        return number;
    }
    for (const int credible : {ENOSPC, EDQUOT, EFBIG, EROFS, EACCES, EPERM}) {
        if (last_errno == credible) {
            return last_errno;
        }
    }
    return otherwise;
}

Error explain(sqlite3* connection, int code, const std::string& path, std::string_view doing) {
    switch (code & 0xff) {
        case SQLITE_CONSTRAINT:
            return constraint_error(code, doing);
        case SQLITE_FULL:
            return file_error("write", path, ENOSPC);
        case SQLITE_IOERR:
            return file_error("read or write", path, system_error(connection, errno, EIO));
        case SQLITE_READONLY:
            return file_error("write", path, EROFS);
        case SQLITE_PERM:
            return file_error("open", path, EACCES);
        case SQLITE_CANTOPEN:
            return file_error("open", path, system_error(connection, errno, ENOENT));
        case SQLITE_NOTADB:
            return {
                Code::io,
                path +
                    " is not a database: move it away, or set LLM_RESEARCH_HOME to another folder"
            };
        case SQLITE_CORRUPT:
            return {
                Code::io,
                path +
                    " is damaged: restore it from a backup, or move it away. `llm-research "
                    "doctor` says more"
            };
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
            return {Code::unavailable, "another process holds the database " + path};
        case SQLITE_INTERRUPT:
            return {Code::cancelled, "interrupted"};
        case SQLITE_NOMEM:
            return {Code::unavailable, "not enough memory for the database"};
        case SQLITE_TOOBIG:
            return {Code::payload_too_large, "a value is too large for the database"};
        default:
            return {
                Code::internal, "the database refused a statement (" + std::string(doing) + ")"
            };
    }
}

}  // namespace

Error sqlite_error(sqlite3* connection, int code, const std::string& path, std::string_view doing) {
    Error error = explain(connection, code, path, doing);
    error.cause = std::string(doing) + ": SQLite error " + std::to_string(code) + ": " +
                  (connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code));
    return error;
}

}  // namespace lab::storage
