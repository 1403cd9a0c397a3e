#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

/// What the fuzz targets share. A target reads its input as untrusted text would come in and checks
/// what must hold whatever the text is; the sanitizers check the rest.
namespace lab::fuzz {

using Target = void (*)(std::string_view input);

/// The first byte of an input chooses among variants; 0 when there is none.
inline unsigned take_choice(std::string_view& text) {
    if (text.empty()) {
        return 0;
    }
    const auto out = static_cast<unsigned char>(text.front());
    text.remove_prefix(1);
    return out;
}

/// What stands in front of the next `end`, which goes too; everything when there is none.
inline std::string_view take_until(std::string_view& text, char end) {
    const std::size_t at = text.find(end);
    const std::string_view out = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + 1);
    return out;
}

/// A finding: ends the process. libFuzzer keeps the input; a replay has named it before.
inline void require(bool holds, const char* what) {
    if (!holds) {
        std::fprintf(stderr, "fuzz: this does not hold: %s\n", what);
        std::abort();
    }
}

/// For replay_test.cpp, which has all targets in one program. True.
bool add_target(const char* name, Target target);

}  // namespace lab::fuzz

/// FUZZ_TARGET(name) { ... input ... }: one a file, and the file has its name.
#ifdef LAB_FUZZ_REPLAY
#define LAB_FUZZ_ENTRY(name) \
    [[maybe_unused]] static const bool kAdded_##name = lab::fuzz::add_target(#name, &fuzz_##name);
#else
#define LAB_FUZZ_ENTRY(name)                                                            \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);  \
    extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) { \
        fuzz_##name({reinterpret_cast<const char*>(data), size});                       \
        return 0;                                                                       \
    }
#endif
#define FUZZ_TARGET(name)                            \
    static void fuzz_##name(std::string_view input); \
    LAB_FUZZ_ENTRY(name)                             \
    static void fuzz_##name(std::string_view input)
