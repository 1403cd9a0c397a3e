#include "providers/impl/replay_index.h"

#include "base/hash.h"
#include "base/text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace lab::providers {
namespace {

constexpr std::size_t kBlockBytes = 1U << 20;
constexpr std::size_t kLineBytesMax = 64U << 20;
constexpr std::size_t kProblemsMax = 20;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

std::uint64_t hash_of(std::string_view id) { return mix64(fnv1a64(id)); }

Error io_error(const std::string& path, std::string_view what) {
    return Error(Code::io, "cannot " + std::string(what) + " " + path + ": " + strerror(errno));
}

/// Calls on_line(offset, line) for each line of the file, without its end.
/// Errors: io; validation when a line is longer than any row.
template <class OnLine>
Status for_each_line(int fd, const std::string& path, OnLine on_line) {
    std::string pending;  // begins at `base` in the file
    std::uint64_t base = 0;
    std::int64_t number = 0;
    for (;;) {
        const std::size_t had = pending.size();
        pending.resize(had + kBlockBytes);
        const ssize_t got =
            ::pread(fd, pending.data() + had, kBlockBytes, static_cast<off_t>(base + had));
        if (got < 0) {
            return io_error(path, "read");
        }
        pending.resize(had + static_cast<std::size_t>(got));
        std::size_t begin = 0;
        std::size_t search = had;  // what was there before holds no end of a line
        for (;;) {
            std::size_t end = pending.find('\n', search);
            if (end == std::string::npos && got == 0 && begin < pending.size()) {
                end = pending.size();
            }
            if (end == std::string::npos) {
                break;
            }
            ++number;
            on_line(base + begin, std::string_view(pending).substr(begin, end - begin), number);
            begin = std::min(end + 1, pending.size());
            search = begin;
        }
        if (got == 0) {
            return ok();
        }
        pending.erase(0, begin);
        base += begin;
        if (pending.size() > kLineBytesMax) {
            return Error(
                Code::validation,
                path + ":" + std::to_string(number + 1) + ": the row is longer than 64 MiB"
            );
        }
    }
}

bool is_blank(std::string_view line) { return trim_ascii(line).empty(); }

}  // namespace

/// Takes the rows one after the other and notes what is wrong with them.
class ReplayIndex::Builder {
  public:
    explicit Builder(ReplayIndex& index) : index_(index) {}

    void take(std::uint64_t offset, std::string_view line, std::int64_t number) {
        if (offset == 0 && line.starts_with(kByteOrderMark)) {
            line.remove_prefix(kByteOrderMark.size());
            offset = kByteOrderMark.size();
        }
        if (is_blank(line)) {
            return;
        }
        const domain::ReplaySpec& spec = index_.spec_;
        const auto row = read_replay_row(line, spec.id_field, spec.output_field);
        if (!row) {
            add(number, "not JSON, or not an object");
            return;
        }
        const bool first = std::exchange(first_, false);
        if (first) {
            index_.numbered_ = spec.id_field == "line" || !row->id;
        }
        if (!index_.numbered_ && !row->id) {
            add(number, "this row has no \"" + spec.id_field + "\", the rows before it have one");
        } else if (index_.numbered_ && row->id && spec.id_field != "line") {
            add(number, "this row has an \"" + spec.id_field + "\", the rows before it have none");
        }
        if (!row->has_output) {
            add(number, "the row has no field \"" + spec.output_field + "\"");
        }
        const std::uint64_t hash = row->id ? hash_of(*row->id) : 0;
        index_.entries_.push_back({hash, offset});
    }

    void add(std::int64_t line, std::string message) {
        ++count_;
        if (problems_.size() < kProblemsMax) {
            problems_.push_back(
                {"", index_.spec_.path + ":" + std::to_string(line) + ": " + std::move(message)}
            );
        }
    }

    Status status() {
        if (problems_.empty() && index_.entries_.empty()) {
            return Error(Code::validation, index_.spec_.path + " holds no recorded outputs");
        }
        if (problems_.empty()) {
            return ok();
        }
        std::string message = problems_.front().message;
        if (count_ > 1) {
            message += " (and " + std::to_string(count_ - 1) + " problems more)";
        }
        return Error(Code::validation, std::move(message), std::move(problems_));
    }

  private:
    ReplayIndex& index_;
    bool first_ = true;
    std::size_t count_ = 0;
    std::vector<Detail> problems_;
};

Result<ReplayIndex> ReplayIndex::open(const domain::ReplaySpec& spec) {
    ReplayIndex index(spec);
    index.fd_ = ::open(spec.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (index.fd_ < 0) {
        return errno == ENOENT
                   ? Error(Code::not_found, "there is no file of recorded outputs " + spec.path)
                   : io_error(spec.path, "open");
    }
    struct stat about{};
    if (::fstat(index.fd_, &about) != 0 || !S_ISREG(about.st_mode)) {
        return Error(Code::io, "cannot read " + spec.path + ": it is not a file");
    }
    Builder builder(index);
    LAB_CHECK(for_each_line(
        index.fd_,
        spec.path,
        [&](std::uint64_t offset, std::string_view line, std::int64_t number) {
            builder.take(offset, line, number);
        }
    ));
    LAB_CHECK(builder.status());
    if (!index.numbered_) {
        std::ranges::sort(index.entries_, [](const Entry& a, const Entry& b) {
            return a.hash != b.hash ? a.hash < b.hash : a.offset < b.offset;
        });
        LAB_CHECK(index.check_duplicates());
    }
    return index;
}

ReplayIndex::ReplayIndex(ReplayIndex&& other) noexcept
    : spec_(std::move(other.spec_)),
      fd_(std::exchange(other.fd_, -1)),
      numbered_(other.numbered_),
      entries_(std::move(other.entries_)),
      buffer_(std::move(other.buffer_)) {}

ReplayIndex::~ReplayIndex() {
    if (fd_ >= 0) {
        ::close(fd_);
    }
}

Status ReplayIndex::check_duplicates() {
    std::vector<std::pair<std::string, std::pair<std::uint64_t, std::uint64_t>>> repeated;
    for (std::size_t i = 0; i < entries_.size();) {
        std::size_t end = i + 1;
        while (end < entries_.size() && entries_[end].hash == entries_[i].hash) {
            ++end;
        }
        std::vector<std::pair<std::string, std::uint64_t>> seen;
        for (std::size_t k = i; k < end && end - i > 1; ++k) {
            LAB_TRY(const std::string_view line, read_line(entries_[k].offset));
            const auto row = read_replay_row(line, spec_.id_field, spec_.output_field);
            const std::string id = row && row->id ? *row->id : "";
            const auto same = std::ranges::find(seen, id, [](const auto& s) { return s.first; });
            if (same == seen.end()) {
                seen.emplace_back(id, entries_[k].offset);
            } else if (repeated.size() < kProblemsMax) {
                repeated.push_back({id, {same->second, entries_[k].offset}});
            }
        }
        i = end;
    }
    if (repeated.empty()) {
        return ok();
    }
    std::vector<std::uint64_t> offsets;
    for (const auto& [id, places] : repeated) {
        offsets.push_back(places.first);
        offsets.push_back(places.second);
    }
    const std::vector<std::int64_t> lines = line_numbers(offsets);
    std::vector<Detail> details;
    for (std::size_t i = 0; i < repeated.size(); ++i) {
        details.push_back(
            {"",
             spec_.path + ": lines " + std::to_string(lines[2 * i]) + " and " +
                 std::to_string(lines[2 * i + 1]) + " have the same " + spec_.id_field + " \"" +
                 shorten(sanitize_utf8(repeated[i].first), 80) + "\""}
        );
    }
    std::ranges::sort(details, {}, &Detail::message);
    std::string message = details.front().message;
    return Error(Code::validation, std::move(message), std::move(details));
}

std::vector<std::int64_t> ReplayIndex::line_numbers(const std::vector<std::uint64_t>& offsets
) const {
    std::vector<std::int64_t> numbers(offsets.size(), 0);
    const Status status = for_each_line(
        fd_,
        spec_.path,
        [&](std::uint64_t offset, std::string_view line, std::int64_t number) {
            for (std::size_t i = 0; i < offsets.size(); ++i) {
                if (offsets[i] >= offset && offsets[i] <= offset + line.size()) {
                    numbers[i] = number;
                }
            }
        }
    );
    return status ? numbers : std::vector<std::int64_t>(offsets.size(), 0);
}

Result<std::string_view> ReplayIndex::read_line(std::uint64_t offset) {
    std::size_t wanted = 4096;
    buffer_.clear();
    for (;;) {
        const std::size_t had = buffer_.size();
        buffer_.resize(wanted);
        const ssize_t got =
            ::pread(fd_, buffer_.data() + had, wanted - had, static_cast<off_t>(offset + had));
        if (got < 0) {
            return io_error(spec_.path, "read");
        }
        buffer_.resize(had + static_cast<std::size_t>(got));
        const std::size_t end = buffer_.find('\n', had);
        if (end != std::string::npos || got == 0 || buffer_.size() > kLineBytesMax) {
            return std::string_view(buffer_).substr(0, end);
        }
        wanted = buffer_.size() * 2 + 4096;
    }
}

/// Hashes are spread evenly, so that the place of one is nearly known: a short walk instead of
/// twenty steps across memory.
std::size_t ReplayIndex::lower_bound(std::uint64_t hash) const {
    const auto share = static_cast<double>(hash) / 18446744073709551616.0;
    const auto count = static_cast<double>(entries_.size());
    const auto guess = std::min(static_cast<std::size_t>(share * count), entries_.size());
    std::size_t low = guess;
    std::size_t high = guess;
    for (std::size_t step = 64; low > 0 && entries_[low - 1].hash >= hash; step *= 2) {
        high = low;
        low -= std::min(step, low);
    }
    for (std::size_t step = 64; high < entries_.size() && entries_[high].hash < hash; step *= 2) {
        low = high;
        high = std::min(high + step, entries_.size());
    }
    const auto begin = entries_.begin();
    const auto found = std::lower_bound(
        begin + static_cast<std::ptrdiff_t>(low),
        begin + static_cast<std::ptrdiff_t>(high),
        hash,
        [](const Entry& entry, std::uint64_t wanted) { return entry.hash < wanted; }
    );
    return static_cast<std::size_t>(found - begin);
}

Result<std::optional<ReplayRow>> ReplayIndex::find(std::string_view id) {
    const auto changed = [&] {
        return Error(Code::io, spec_.path + " has changed since the run began");
    };
    if (numbered_) {
        std::size_t number = 0;
        for (const char c : id) {
            if (c < '0' || c > '9' || number > entries_.size()) {
                return std::optional<ReplayRow>();
            }
            number = number * 10 + static_cast<std::size_t>(c - '0');
        }
        if (number == 0 || number > entries_.size() || id.front() == '0') {
            return std::optional<ReplayRow>();
        }
        LAB_TRY(const std::string_view line, read_line(entries_[number - 1].offset));
        auto row = read_replay_row(line, spec_.id_field, spec_.output_field);
        return row && row->has_output ? Result<std::optional<ReplayRow>>(std::move(row))
                                      : changed();
    }
    const std::uint64_t hash = hash_of(id);
    for (std::size_t i = lower_bound(hash); i < entries_.size() && entries_[i].hash == hash; ++i) {
        LAB_TRY(const std::string_view line, read_line(entries_[i].offset));
        auto row = read_replay_row(line, spec_.id_field, spec_.output_field);
        if (!row || !row->id || !row->has_output || hash_of(*row->id) != hash) {
            return changed();
        }
        if (*row->id == id) {
            return std::optional<ReplayRow>(std::move(row));
        }
    }
    return std::optional<ReplayRow>();
}

}  // namespace lab::providers
