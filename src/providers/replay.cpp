#include "providers/replay.h"

#include "base/hash.h"
#include "base/text.h"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lab::providers {
namespace {

constexpr std::size_t kRowBytesMax = 16U << 20;

/// A member by name, dots reaching into nested objects; nullptr when there is none.
const Json* member(const Json& row, std::string_view path) {
    const Json* here = &row;
    for (const std::string_view name : split(path, '.')) {
        if (!here->is_object()) {
            return nullptr;
        }
        const auto found = here->find(name);
        if (found == here->end()) {
            return nullptr;
        }
        here = &*found;
    }
    return here;
}

std::string text_of(const Json& value) {
    return value.is_string() ? value.get<std::string>() : dump_json(value);
}

/// The file, mapped: rows are read where they stand.
class MappedFile {
  public:
    MappedFile(const char* bytes, std::size_t size) : bytes_(bytes), size_(size) {}
    MappedFile(MappedFile&& other) noexcept
        : bytes_(std::exchange(other.bytes_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    MappedFile& operator=(MappedFile&&) = delete;
    ~MappedFile() {
        if (bytes_ != nullptr) {
            ::munmap(const_cast<char*>(bytes_), size_);
        }
    }
    static Result<MappedFile> open(const std::string& path) {
        const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
        if (fd < 0) {
            return Error(
                errno == ENOENT ? Code::not_found : Code::io,
                errno == ENOENT ? "there is no file of recorded outputs " + path
                                : "cannot read " + path + ": " + std::strerror(errno)
            );
        }
        struct stat status{};
        void* bytes = MAP_FAILED;
        const bool readable = ::fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
        const auto size = static_cast<std::size_t>(readable ? status.st_size : 0);
        if (size > 0) {
            bytes = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
        }
        ::close(fd);
        if (!readable || size == 0 || bytes == MAP_FAILED) {
            return Error(Code::validation, path + " is not a file with recorded outputs");
        }
        return MappedFile(static_cast<const char*>(bytes), size);
    }
    std::string_view text() const { return {bytes_, size_}; }
    /// The line that begins at `offset`, without its end.
    std::string_view line(std::size_t offset) const {
        const std::string_view rest = text().substr(offset);
        return trim_ascii(rest.substr(0, rest.find('\n')));
    }
    /// Pages that were read may go; they come back from the disk.
    void release() const { ::madvise(const_cast<char*>(bytes_), size_, MADV_DONTNEED); }

  private:
    const char* bytes_;
    std::size_t size_;
};

struct Entry {
    std::uint64_t hash = 0;
    std::uint64_t offset = 0;
    auto operator<=>(const Entry&) const = default;
};

class ReplayProvider final : public Provider {
  public:
    ReplayProvider(const domain::ModelSpec& model, MappedFile file)
        : spec_(*model.replay), endpoint_("replay:" + model.id), file_(std::move(file)) {}

    Status build_index() {
        const std::string_view text = file_.text();
        std::int64_t line_number = 0;
        std::size_t begin = text.starts_with("\xef\xbb\xbf") ? 3 : 0;
        std::size_t released = 0;
        while (begin < text.size()) {
            ++line_number;
            std::size_t end = text.find('\n', begin);
            end = end == std::string_view::npos ? text.size() : end;
            const std::string_view row = trim_ascii(text.substr(begin, end - begin));
            if (!row.empty()) {
                LAB_TRY(const std::string id, id_of(row, line_number));
                index_.push_back({mix64(fnv1a64(id)), begin});
            }
            begin = end + 1;
            if (begin - released > (32U << 20)) {
                file_.release();
                released = begin;
            }
        }
        index_.shrink_to_fit();
        std::ranges::sort(index_);
        return check_unique();
    }

    CallId start(CallRequest request, CallDone done) override {
        done(answer(request.item_id));
        return 0;
    }
    void cancel(CallId) override {}
    bool is_replay() const override { return true; }
    const std::string& endpoint() const override { return endpoint_; }
    domain::Usage worst_case(const CallRequest&) const override { return {}; }

  private:
    Error at_line(std::int64_t line, const std::string& message) const {
        return Error(Code::validation, spec_.path + ":" + std::to_string(line) + ": " + message);
    }

    Result<std::string> id_of(std::string_view row, std::int64_t line) {
        auto parsed = parse_json(row, {.bytes_max = kRowBytesMax});
        if (!parsed) {
            return at_line(line, parsed.error().message);
        }
        const Json* output = member(*parsed, spec_.output_field);
        if (output == nullptr) {
            return at_line(line, "the row has no field \"" + spec_.output_field + "\"");
        }
        const Json* id = member(*parsed, spec_.id_field);
        const bool has_id = id != nullptr && !id->is_null();
        if (index_.empty()) {
            by_row_number_ = !has_id;
        } else if (by_row_number_ == has_id) {
            return at_line(
                line,
                std::string("this row has ") + (has_id ? "an" : "no") + " \"" + spec_.id_field +
                    "\", the rows before it are different"
            );
        }
        return has_id ? text_of(*id) : std::to_string(index_.size() + 1);
    }

    std::int64_t line_number_of(std::size_t offset) const {
        return 1 + std::ranges::count(file_.text().substr(0, offset), '\n');
    }

    /// Equal hashes are told apart by the ids themselves.
    Status check_unique() const {
        if (by_row_number_) {
            return ok();
        }
        for (std::size_t i = 1; i < index_.size(); ++i) {
            for (std::size_t j = i; j > 0 && index_[j - 1].hash == index_[i].hash; --j) {
                const std::string id = stored_id(index_[i]);
                if (id == stored_id(index_[j - 1])) {
                    const auto [first, second] =
                        std::minmax(index_[j - 1].offset, index_[i].offset);
                    return Error(
                        Code::validation,
                        spec_.path + ": lines " + std::to_string(line_number_of(first)) + " and " +
                            std::to_string(line_number_of(second)) + " have the same " +
                            spec_.id_field + " \"" + shorten(id, 80) + "\""
                    );
                }
            }
        }
        return ok();
    }

    std::string stored_id(const Entry& entry) const {
        const auto row = parse_json(file_.line(entry.offset), {.bytes_max = kRowBytesMax});
        const Json* id = row ? member(*row, spec_.id_field) : nullptr;
        return id == nullptr ? "" : text_of(*id);
    }

    CallResult answer(const std::string& id) const {
        const std::uint64_t hash = mix64(fnv1a64(id));
        auto place = std::ranges::lower_bound(index_, hash, {}, &Entry::hash);
        for (; place != index_.end() && place->hash == hash; ++place) {
            auto row = parse_json(file_.line(place->offset), {.bytes_max = kRowBytesMax});
            if (!row) {
                break;
            }
            const Json* stored = member(*row, spec_.id_field);
            if (by_row_number_ || (stored != nullptr && text_of(*stored) == id)) {
                return recorded(*row);
            }
        }
        CallResult result;
        result.outcome = Outcome::refused;
        result.error = Error(
            Code::not_found,
            "no output is recorded for item \"" + shorten(id, 80) + "\" in " + spec_.path
        );
        return result;
    }

    CallResult recorded(const Json& row) const {
        CallResult result;
        result.replayed = true;
        result.finish_reason = "stop";
        const Json* output = member(row, spec_.output_field);
        if (output == nullptr || output->is_null()) {
            result.outcome = Outcome::refused;
            result.error = Error(Code::upstream_error, "recorded as having no output");
            return result;
        }
        result.output = text_of(*output);
        if (row.contains("finish_reason") && row["finish_reason"].is_string()) {
            result.finish_reason = row["finish_reason"].get<std::string>();
        }
        if (row.contains("latency_ms") && row["latency_ms"].is_number()) {
            const double ms = std::clamp(row["latency_ms"].get<double>(), 0.0, 1e9);
            result.latency =
                std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
        }
        if (row.contains("usage") && row["usage"].is_object()) {
            const Json& usage = row["usage"];
            const auto count = [&](const char* name) -> std::int64_t {
                const bool given = usage.contains(name) && usage[name].is_number_integer();
                return given ? std::max<std::int64_t>(0, usage[name].get<std::int64_t>()) : 0;
            };
            result.usage.input = count("input");
            result.usage.cache_read = count("cache_read");
            result.usage.cache_write = count("cache_write");
            result.usage.output = count("output");
            result.usage.reasoning = count("reasoning");
        }
        return result;
    }

    domain::ReplaySpec spec_;
    std::string endpoint_;
    MappedFile file_;
    std::vector<Entry> index_;
    bool by_row_number_ = false;
};

}  // namespace

Result<std::unique_ptr<Provider>> make_replay_provider(const domain::ModelSpec& model) {
    LAB_ASSERT(model.replay.has_value(), "a replayed model names its records");
    LAB_TRY(MappedFile file, MappedFile::open(model.replay->path));
    auto provider = std::make_unique<ReplayProvider>(model, std::move(file));
    LAB_CHECK(provider->build_index());
    return std::unique_ptr<Provider>(std::move(provider));
}

}  // namespace lab::providers
