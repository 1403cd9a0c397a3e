#include "api/impl/row_stream.h"

#include <algorithm>

namespace lab::api {
namespace {

constexpr std::size_t kPieceBytes = 64U << 10;

/// A file name that no browser or shell stumbles over.
std::string file_name(const std::string& dataset, std::int64_t version) {
    std::string out;
    for (const char c : dataset.substr(0, 100)) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                           (c >= '0' && c <= '9') || c == '-' || c == '_';
        out += plain ? c : '_';
    }
    return out + "-" + std::to_string(version) + ".jsonl";
}

}  // namespace

Reply reply_rows(service::RowsToSend rows, std::int64_t first, std::int64_t count) {
    const std::int64_t all = rows.file->rows();
    const std::int64_t begin = std::min(first, all);
    const std::int64_t end = begin + std::min(count, all - begin);
    Reply out;
    out.headers.emplace_back("Content-Type", "application/x-ndjson");
    out.headers.emplace_back(
        "Content-Disposition",
        "attachment; filename=\"" + file_name(rows.dataset_name, rows.rows.version) + "\""
    );
    out.headers.emplace_back("X-Row-Count", std::to_string(end - begin));
    if (begin == 0 && end == all) {
        out.headers.emplace_back("Content-Length", std::to_string(rows.rows.bytes));
        out.headers.emplace_back("ETag", "\"" + rows.rows.content_hash + "\"");
    }
    // Read on pool threads: a page of the file may have to come from the disk.
    out.pieces = [file = std::move(rows.file), next = begin, end](const Call&) mutable {
        std::string piece;
        while (next < end && piece.size() < kPieceBytes) {
            piece += file->row(next);
            piece += '\n';
            ++next;
        }
        return Result<std::string>(std::move(piece));
    };
    return out;
}

}  // namespace lab::api
