#include "platform/http/compress.h"

#include "base/text.h"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <charconv>

namespace lab::http {
namespace {

constexpr std::string_view kNames[] = {"zstd", "br", "gzip"};
constexpr int kGzipLevel = 6;
constexpr int kBrotliQuality = 5;
constexpr int kZstdLevel = 3;
constexpr int kGzipWindow = 15 + 16;  // the header of gzip instead of zlib's

/// The weight of a coding such as "gzip;q=0.5", in thousandths; broken ones weigh nothing.
int weight_of(std::string_view parameters) {
    while (!parameters.empty()) {
        const std::size_t end = parameters.find(';');
        const std::string_view one = trim(parameters.substr(0, end));
        parameters.remove_prefix(end == std::string_view::npos ? parameters.size() : end + 1);
        if (one.size() > 2 && (one[0] == 'q' || one[0] == 'Q') && one[1] == '=') {
            double weight = -1;
            const char* const last = one.data() + one.size();
            const auto parsed = std::from_chars(one.data() + 2, last, weight);
            const bool good =
                parsed.ec == std::errc() && parsed.ptr == last && weight >= 0 && weight <= 1;
            return good ? static_cast<int>(weight * 1000) : 0;
        }
    }
    return 1000;
}

Result<std::string> gzip(std::string_view bytes, int level) {
    z_stream stream{};
    if (deflateInit2(&stream, level, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
        return Error(Code::internal, "zlib has no memory");
    }
    std::string out(deflateBound(&stream, bytes.size()), '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int code = deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    return code == Z_STREAM_END ? Result<std::string>(std::move(out))
                                : Error(Code::internal, "zlib refused");
}

Result<std::string> brotli(std::string_view bytes, int quality) {
    std::string out(BrotliEncoderMaxCompressedSize(bytes.size()), '\0');
    std::size_t size = out.size();
    const BROTLI_BOOL good = BrotliEncoderCompress(
        quality,
        BROTLI_DEFAULT_WINDOW,
        BROTLI_MODE_TEXT,
        bytes.size(),
        reinterpret_cast<const std::uint8_t*>(bytes.data()),
        &size,
        reinterpret_cast<std::uint8_t*>(out.data())
    );
    if (good == BROTLI_FALSE) {
        return Error(Code::internal, "brotli refused");
    }
    out.resize(size);
    return out;
}

Result<std::string> zstd(std::string_view bytes, int level) {
    std::string out(ZSTD_compressBound(bytes.size()), '\0');
    const std::size_t size =
        ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), level);
    if (ZSTD_isError(size) != 0) {
        return Error(Code::internal, "zstd refused");
    }
    out.resize(size);
    return out;
}

}  // namespace

std::string_view to_string(Coding coding) { return kNames[static_cast<std::size_t>(coding)]; }

std::optional<Coding> choose_coding(std::string_view accept_encoding) {
    int weights[std::size(kNames)] = {-1, -1, -1};
    int others = -1;
    while (!accept_encoding.empty()) {
        const std::size_t comma = accept_encoding.find(',');
        const std::string_view part = accept_encoding.substr(0, comma);
        accept_encoding.remove_prefix(
            comma == std::string_view::npos ? accept_encoding.size() : comma + 1
        );
        const std::size_t semicolon = part.find(';');
        const std::string name = to_lower(trim(part.substr(0, semicolon)));
        const int weight =
            weight_of(semicolon == std::string_view::npos ? "" : part.substr(semicolon + 1));
        if (name == "*") {
            others = weight;
        }
        const auto* const known = std::ranges::find(kNames, name == "x-gzip" ? "gzip" : name);
        if (known != std::end(kNames)) {
            weights[known - std::begin(kNames)] = weight;
        }
    }
    std::optional<Coding> best;
    int most = 0;
    for (std::size_t i = 0; i < std::size(kNames); ++i) {
        const int weight = weights[i] >= 0 ? weights[i] : others;
        if (weight > most) {
            most = weight;
            best = static_cast<Coding>(i);
        }
    }
    return best;
}

bool is_compressible(std::string_view content_type) {
    const std::string type = to_lower(trim(content_type.substr(0, content_type.find(';'))));
    if (type == "image/svg+xml") {
        return true;
    }
    static constexpr std::string_view kPacked[] = {
        "image/",
        "audio/",
        "video/",
        "font/",
        "application/pdf",
        "application/zip",
        "application/gzip",
        "application/x-7z-compressed",
        "application/zstd",
        "application/octet-stream",
        "application/vnd.apache.parquet",
    };
    return std::ranges::none_of(kPacked, [&](std::string_view one) {
        return type.starts_with(one);
    });
}

Result<std::string> compress(Coding coding, std::string_view bytes) {
    switch (coding) {
        case Coding::zstd:
            return zstd(bytes, kZstdLevel);
        case Coding::brotli:
            return brotli(bytes, kBrotliQuality);
        case Coding::gzip:
            return gzip(bytes, kGzipLevel);
    }
    return Error(Code::internal, "an unknown coding");
}

Result<std::string> compress_quickly(Coding coding, std::string_view bytes) {
    switch (coding) {
        case Coding::zstd:
            return zstd(bytes, 1);
        case Coding::brotli:
            return brotli(bytes, 1);
        case Coding::gzip:
            return gzip(bytes, 1);
    }
    return Error(Code::internal, "an unknown coding");
}

}  // namespace lab::http
