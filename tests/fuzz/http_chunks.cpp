#include "fuzz/fuzz.h"
#include "platform/http/impl/server_chunks.h"

#include <algorithm>
#include <string>

namespace {
using lab::fuzz::require;
using lab::http::ChunkReader;

struct Read {
    std::string body;
    std::size_t taken = 0;
    ChunkReader::State state = ChunkReader::State::more;
};

Read read(std::string_view text, std::size_t step) {
    Read out;
    ChunkReader reader(1024);
    for (std::size_t at = 0; at < text.size() && out.state == ChunkReader::State::more;
         at += step) {
        std::string piece(text.substr(at, step));
        ChunkReader::Step done;
        out.state = reader.read(piece.data(), piece.size(), done);
        require(done.size <= done.taken && done.taken <= piece.size(), "a body shrinks");
        require(
            out.state != ChunkReader::State::more || done.taken == piece.size(), "all is taken"
        );
        require(out.state != ChunkReader::State::refused || !reader.why().empty(), "it says why");
        out.body.append(piece, 0, done.size);
        out.taken += done.taken;
    }
    return out;
}

/// In chunks of many sizes.
std::string write(std::string_view body, std::size_t step) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string out;
    while (!body.empty()) {
        const std::string_view chunk = body.substr(0, step);
        body.remove_prefix(chunk.size());
        out += kDigits[chunk.size() / 256 % 16];
        out += kDigits[chunk.size() / 16 % 16];
        out += kDigits[chunk.size() % 16];
        out += "\r\n" + std::string(chunk) + "\r\n";
        step = step * 7 % 4093 + 1;
    }
    return out + "0\r\n\r\n";
}
}  // namespace

// A chunked body decodes to the same bytes whole and in pieces, and to what was encoded.
FUZZ_TARGET(http_chunks) {
    std::string_view text = input;
    const std::size_t step = 1 + lab::fuzz::take_choice(text) % 16;
    const Read whole = read(text, std::max<std::size_t>(1, text.size()));
    const Read pieces = read(text, step);
    require(whole.state == pieces.state, "whole and in pieces end the same way");
    require(whole.body == pieces.body, "whole and in pieces have one body");
    if (whole.state == ChunkReader::State::complete) {
        require(whole.taken == pieces.taken, "whole and in pieces have one end");
    }
    const std::string written = write(text, step);
    const Read back = read(written + "GET / HTTP/1.1\r\n", 4096);
    require(back.state == ChunkReader::State::complete, "what is encoded is complete");
    require(back.body == text, "what is encoded is decoded");
    require(back.taken == written.size(), "the next request is left alone");
}
