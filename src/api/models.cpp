#include "api/models.h"

#include "api/nouns.h"
#include "service/models.h"

#include <nlohmann/json.hpp>

namespace lab::api {
namespace {

constexpr std::string_view kTag = "Models";

Status read_filters(const Call& call, storage::ResourceFilter& filter) {
    filter.facet = call.query("provider");
    filter.name = call.query("name");
    return ok();
}

Route providers_route() {
    Route out;
    out.method = "GET";
    out.path = "/models/providers";
    out.summary = "List the providers that models can be of";
    out.tag = kTag;
    out.guard = Guard::open;
    out.handler = [](Call&) -> Result<Reply> { return reply_json(service::list_providers()); };
    return out;
}

}  // namespace

std::vector<Route> model_routes(const SigningKeys& signing) {
    NounFace face{
        .collection = "/models",
        .one = "/models/{id}",
        .tag = kTag,
        .noun = &service::model_noun(),
        .filters =
            {{.name = "provider",
              .type = "string",
              .help = "Those of this provider",
              .values =
                  {"openai",
                   "anthropic",
                   "google",
                   "azure",
                   "huggingface",
                   "cohere",
                   "aws",
                   "local",
                   "custom"}},
             {"name", "string", "Those of exactly this name"}},
        .read_filters = read_filters,
    };
    std::vector<Route> out = noun_routes(face, signing);
    out.push_back(providers_route());
    return out;
}

}  // namespace lab::api
