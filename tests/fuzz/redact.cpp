#include "platform/telemetry/redact.h"

#include "base/text.h"
#include "fuzz/fuzz.h"

// Whatever stands around them: credentials do not get into a log.
FUZZ_TARGET(redact) {
    using namespace lab;
    static constexpr std::string_view kSecret = "Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Zq7Z";
    const std::string around(input);
    const std::string plain = redact(input);
    fuzz::require(!is_innocent(input) || plain == input, "what is innocent is left alone");
    fuzz::require(!is_utf8(input) || is_utf8(plain), "a text stays UTF-8");
    if (input.contains(kSecret)) {
        return;  // without a name a text is no secret
    }
    for (const char* name : {"\npassword=", "\nAuthorization: Bearer ", "\nX-API-Key: "}) {
        const std::string shown = redact(around + name + std::string(kSecret) + "\n" + around);
        fuzz::require(!shown.contains(kSecret), "a secret is hidden");
    }
}
