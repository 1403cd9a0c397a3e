#include "api/impl/row_stream.h"

#include <algorithm>
#include <memory>

namespace lab::api {
namespace {

constexpr std::size_t kPieceBytes = 64U << 10;

/// Lives as long as the exchange has a use for it: each write holds it.
class RowSender : public std::enable_shared_from_this<RowSender> {
  public:
    RowSender(
        std::shared_ptr<http::Exchange> exchange,
        std::shared_ptr<const storage::DatasetFile> file,
        std::int64_t first,
        std::int64_t last
    )
        : exchange_(std::move(exchange)), file_(std::move(file)), next_(first), last_(last) {}

    void go_on() {
        while (next_ < last_) {
            std::string piece;
            while (next_ < last_ && piece.size() < kPieceBytes) {
                piece += file_->row(next_);
                piece += '\n';
                ++next_;
            }
            const auto sending =
                exchange_->write(std::move(piece), [self = shared_from_this()] { self->go_on(); });
            if (sending != http::Sending::more) {
                return;
            }
        }
        exchange_->end_stream();
    }

  private:
    std::shared_ptr<http::Exchange> exchange_;
    std::shared_ptr<const storage::DatasetFile> file_;
    std::int64_t next_;
    const std::int64_t last_;
};

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
    out.stream = [file = std::move(rows.file),
                  begin,
                  end](std::shared_ptr<http::Exchange> exchange, http::Headers headers) {
        exchange->begin_stream(200, std::move(headers));
        std::make_shared<RowSender>(std::move(exchange), file, begin, end)->go_on();
    };
    return out;
}

}  // namespace lab::api
