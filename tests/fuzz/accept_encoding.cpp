#include "base/text.h"
#include "fuzz/fuzz.h"
#include "platform/http/compress.h"

// Accept-Encoding: a coding is chosen only where the header names it, or anything.
FUZZ_TARGET(accept_encoding) {
    using namespace lab;
    const std::string text(input);
    const auto coding = http::choose_coding(text);
    if (coding) {
        const std::string lower = to_lower(text);
        const std::string name(http::to_string(*coding));
        fuzz::require(
            lower.find(name) != lower.npos || lower.find('*') != lower.npos, "nobody took that"
        );
    }
    fuzz::require(http::choose_coding(text + ",") == coding, "an empty member asks for nothing");
}
