#include "api/impl/body_file.h"

#include <utility>

namespace lab::api {

BodyFile::BodyFile(service::ScratchFolder folder)
    : folder_(std::move(folder)),
      path_(folder_.path() + "/body"),
      file_(path_, std::ios::binary | std::ios::trunc) {}

Result<std::shared_ptr<BodyFile>> BodyFile::make(const std::string& folder) {
    LAB_TRY(auto scratch, service::ScratchFolder::make(folder));
    std::shared_ptr<BodyFile> out(new BodyFile(std::move(scratch)));
    if (!out->file_) {
        return Error(Code::io, "cannot write to " + out->path_);
    }
    return out;
}

Status BodyFile::append(std::string_view bytes) {
    file_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    bytes_ += bytes.size();
    return file_ ? ok() : Status(Error(Code::io, "cannot write to " + path_));
}

Status BodyFile::close() {
    file_.close();
    return file_ ? ok() : Status(Error(Code::io, "cannot write to " + path_));
}

void BodyFileSink::on_begin(std::shared_ptr<http::Exchange> exchange) {
    deps_.begun(exchange);
    const std::lock_guard lock(mutex_);
    exchange_ = std::move(exchange);
}

BodyFileSink::Flow BodyFileSink::on_bytes(std::string_view bytes) {
    std::shared_ptr<http::Exchange> refused;
    {
        const std::lock_guard lock(mutex_);
        if (over_) {
            return Flow::pause;
        }
        waiting_ += bytes;
        if (waiting_.size() < kPieceBytes) {
            return Flow::more;
        }
        if (writing_ || start_writing()) {
            paused_ = true;
            return Flow::pause;
        }
        over_ = true;
        waiting_.clear();
        refused = std::exchange(exchange_, nullptr);
    }
    deps_.busy(std::move(refused));
    return Flow::pause;
}

void BodyFileSink::on_complete() {
    std::shared_ptr<http::Exchange> refused;
    {
        const std::lock_guard lock(mutex_);
        complete_ = true;
        if (over_ || writing_ || start_writing()) {
            return;
        }
        over_ = true;
        refused = std::exchange(exchange_, nullptr);
    }
    deps_.busy(std::move(refused));
}

void BodyFileSink::on_abort() {
    const std::lock_guard lock(mutex_);
    over_ = true;
    waiting_ = {};
    exchange_ = nullptr;
}

bool BodyFileSink::start_writing() {
    writing_ = deps_.submit([self = shared_from_this()] { self->write(); });
    return writing_;
}

Status BodyFileSink::write_piece(const std::string& piece) {
    if (!file_) {
        LAB_TRY(file_, BodyFile::make(deps_.folder));
    }
    return file_->append(piece);
}

void BodyFileSink::write() {
    std::unique_lock lock(mutex_);
    Status written = ok();
    for (;;) {
        const std::string piece = std::exchange(waiting_, {});
        const bool last = complete_;
        const bool resume = std::exchange(paused_, false);
        const std::shared_ptr<http::Exchange> exchange = exchange_;
        if (over_) {
            file_ = nullptr;
            return;
        }
        lock.unlock();
        // While this piece is written the next one comes.
        if (resume) {
            exchange->resume_body();
        }
        written = write_piece(piece);
        lock.lock();
        if (!written || last || over_) {
            break;
        }
        if (waiting_.size() < kPieceBytes && !complete_) {
            writing_ = false;
            return;
        }
    }
    const std::shared_ptr<http::Exchange> exchange = std::exchange(exchange_, nullptr);
    const std::shared_ptr<BodyFile> file = std::exchange(file_, nullptr);
    over_ = true;
    lock.unlock();
    if (exchange == nullptr) {
        return;
    }
    written = written ? file->close() : written;
    deps_.arrived(
        exchange,
        written ? Result<std::shared_ptr<BodyFile>>(file)
                : Result<std::shared_ptr<BodyFile>>(written.error())
    );
}

}  // namespace lab::api
