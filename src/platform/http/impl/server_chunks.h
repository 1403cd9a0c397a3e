#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace lab::http {

/// Takes the chunked coding off a body (RFC 9112, 7.1), strictly: lines end in CRLF, sizes are hex
/// digits alone, extensions are tokens and ignored (quoted ones are refused: recipients disagree
/// about line ends in them), trailers are checked and dropped. Pure: no I/O.
class ChunkReader {
  public:
    enum class State : std::uint8_t { more, complete, refused };
    /// `trailer_bytes_max` bounds the trailer section, and all extensions together.
    explicit ChunkReader(std::size_t trailer_bytes_max) : overhead_max_(trailer_bytes_max) {}

    struct Step {
        std::size_t taken = 0;  ///< bytes of the input that are done with
        std::size_t size = 0;   ///< bytes of the body, now at the front of the input
    };
    /// Decodes in place: the body's bytes move to the front of `data`. Takes everything, except
    /// what stands behind the end of the body or behind a mistake.
    State read(char* data, std::size_t size, Step& step);
    /// Why it was refused.
    std::string_view why() const { return why_; }

  private:
    enum class Place : std::uint8_t {
        size_first,
        size,
        blank,       ///< behind the size: only an extension may follow
        name_first,  ///< of an extension
        name,
        name_blank,
        value_first,
        value,
        size_lf,
        data,
        data_cr,
        data_lf,
        trailer_first,  ///< of a line
        trailer_name,
        trailer_value,
        trailer_lf,
        end_lf,
        done,
        wrong,
    };
    Place after_size(char c);
    Place extension(char c);
    Place trailer(char c);
    Place wrong(std::string_view why);
    bool count_overhead();

    std::size_t overhead_max_;
    std::size_t overhead_ = 0;
    std::uint64_t left_ = 0;  ///< of the chunk
    int digits_ = 0;
    Place place_ = Place::size_first;
    std::string_view why_;
};

}  // namespace lab::http
