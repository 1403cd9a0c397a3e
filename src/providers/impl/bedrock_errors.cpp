#include "providers/impl/bedrock_errors.h"

#include <algorithm>
#include <array>

namespace lab::providers {

void refine_bedrock_error(ApiError& error, std::string_view type) {
    struct Meaning {
        std::string_view type;
        int status;  ///< that says the same in HTTP
    };
    // Credentials that ended are renewed until the next try. A model that is not ready is no matter
    // of how often it is asked, though they say 429.
    static constexpr std::array<Meaning, 14> kMeanings{
        {{"ThrottlingException", 429},
         {"TooManyRequestsException", 429},
         {"ModelNotReadyException", 503},
         {"ServiceUnavailableException", 503},
         {"InternalServerException", 500},
         {"InternalFailure", 500},
         {"ModelErrorException", 500},
         {"ModelStreamErrorException", 500},
         {"ModelTimeoutException", 408},
         {"ExpiredTokenException", 408},
         {"ValidationException", 400},
         {"AccessDeniedException", 403},
         {"ResourceNotFoundException", 404},
         {"ServiceQuotaExceededException", 400}}
    };
    type = type.substr(0, type.find(':'));
    if (const std::size_t sharp = type.rfind('#'); sharp != type.npos) {
        type = type.substr(sharp + 1);
    }
    std::string name(type);
    if (!name.empty() && name[0] >= 'a' && name[0] <= 'z') {
        name[0] = static_cast<char>(name[0] - 'a' + 'A');
    }
    const auto found = std::ranges::find(kMeanings, name, &Meaning::type);
    if (found != kMeanings.end()) {
        error.meant = found->status;
    }
    error.type = std::move(name);
    error.code.clear();
}

}  // namespace lab::providers
