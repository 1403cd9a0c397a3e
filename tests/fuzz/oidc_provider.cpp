#include "service/impl/oidc_provider.h"

#include "base/percent.h"
#include "base/text.h"
#include "fuzz/fuzz.h"
#include "platform/crypto/base64url.h"
#include "platform/crypto/impl/jws.h"
#include "platform/crypto/impl/test_keys.h"
#include "support/manual_clock.h"

#include <nlohmann/json.hpp>

#include <array>

namespace {
using namespace lab;
using fuzz::require;
using service::WebAnswer;
using service::WebRequest;

constexpr std::string_view kSecret = "the secret of this client";
constexpr std::string_view kBearer = "the access token of this login";
// The public half of kEcPrivate (RFC 7515, A.3).
constexpr std::string_view kKeys =
    R"({"keys":[{"kty":"EC","kid":"e","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})";
constexpr std::string_view kDiscovery =
    R"({"issuer":"https://id.example.org","authorization_endpoint":"https://id.example.org/a",)"
    R"("token_endpoint":"https://id.example.org/t","jwks_uri":"https://keys.example.org/k",)"
    R"("userinfo_endpoint":"https://id.example.org/u"})";
constexpr std::string_view kToken =
    "{\"id_token\":\"\x03\",\"access_token\":\"the access token of this login\"}";
constexpr std::string_view kUserinfo = R"({"sub":"s","email":"u@example.org"})";

std::string good_token() {
    static const auto kKey =
        *crypto::JwsKey::from_private_pem(JwtAlgorithm::es256, test::kEcPrivate);
    const std::string text =
        base64url_encode(R"({"alg":"ES256","kid":"e"})") + "." +
        base64url_encode(
            R"({"iss":"https://id.example.org","aud":"lab","sub":"s","nonce":"n","iat":1699999990,)"
            R"("exp":1700000300})"
        );
    return text + "." + base64url_encode(kKey.sign(text));
}

/// Byte 3 stands for a good ID token.
std::string expand(std::string_view text) {
    static const std::string kGood = good_token();
    std::string out;
    for (const char c : text) {
        out += c == 3 ? kGood : std::string(1, c);
    }
    return out;
}

/// Written down a second time, on purpose: TLS, and one of two hosts.
bool is_theirs(const std::string& url) {
    for (const std::string_view host : {"https://id.example.org", "https://keys.example.org"}) {
        if (url.size() >= host.size() && url.starts_with("https://") &&
            to_lower(url.substr(0, host.size())) == host) {
            const std::string rest = url.substr(host.size());
            return (rest.empty() || std::string_view("/?#:").contains(rest.front())) &&
                   rest.find_first_of("@\\ \t\r\n") == std::string::npos;
        }
    }
    return false;
}

/// What a provider says, and who was asked for it.
class Provider {
  public:
    explicit Provider(std::string_view text) {
        constexpr std::array kGood{kDiscovery, kToken, kKeys, kUserinfo};
        for (std::size_t i = 0; i < kGood.size(); ++i) {
            const std::string_view said = fuzz::take_until(text, '\0');
            answers_.at(i) = expand(said.empty() ? kGood.at(i) : said);
        }
        if (const auto document = parse_json(answers_[0]); document && document->is_object()) {
            document_ = *document;
        }
    }

    Result<WebAnswer> answer(const WebRequest& request) {
        require(++asked_ <= 8, "a login asks a few times");
        require(is_theirs(request.url), "nobody else is asked");
        const bool has_secret = request.form.contains(percent_encode(kSecret)) ||
                                request.authorization.starts_with("Basic ");
        require(request.method == "POST" || !has_secret, "the secret goes with a code");
        const bool is_bearer = request.authorization.starts_with("Bearer ");
        if (request.method == "POST") {
            require(is_place("token_endpoint", request.url), "a code goes where tokens are");
            require(!is_bearer, "a code goes without a token");
            return answer_of(1);
        }
        require(request.form.empty(), "to ask sends nothing");
        if (is_bearer) {
            require(is_place("userinfo_endpoint", request.url), "a token goes to its place");
            return answer_of(3);
        }
        const bool is_first =
            request.url == "https://id.example.org/.well-known/openid-configuration";
        require(is_first || is_place("jwks_uri", request.url), "what is asked was named");
        return answer_of(is_first ? 0 : 2);
    }
    bool is_place(const char* name, const std::string& url) const {
        return document_.contains(name) && document_[name] == url;
    }

  private:
    /// In front of an answer bytes 1 and 2 stand for 400 and 503.
    WebAnswer answer_of(std::size_t which) const {
        const std::string& text = answers_.at(which);
        const int status = text.starts_with('\1') ? 400 : text.starts_with('\2') ? 503 : 200;
        return {status, status == 200 ? text : text.substr(1)};
    }

    std::array<std::string, 4> answers_;
    Json document_ = Json::object();
    int asked_ = 0;
};

void check_refusal(const Error& error) {
    require(
        error.code == Code::unauthorized || error.code == Code::upstream_error,
        "a refusal is the user's or the provider's"
    );
    for (const std::string& words : {error.message, error.cause}) {
        require(!words.contains(kSecret) && !words.contains(kBearer), "no message holds a secret");
        require(words.size() <= 1024 && is_utf8(words), "a message has a length");
    }
}
}  // namespace

// What an identity provider says of itself, its answer to a code, its keys and what it knows of a
// user, a NUL between them; nothing = a good one. Whatever it says, nobody but it is asked, the
// secret and the token go to their places alone, and who comes in is whom it signed for. The first
// byte: a public client (1), groups decide (2).
FUZZ_TARGET(oidc_provider) {
    std::string_view text = input;
    const unsigned choice = fuzz::take_choice(text);
    service::OidcConfig config;
    config.issuer = "https://id.example.org";
    config.client_id = "lab";
    config.client_secret = (choice & 1U) != 0 ? "" : kSecret;
    config.redirect_url = "https://lab.example.org/auth/oidc/callback";
    config.hosts = {"keys.example.org"};
    if ((choice & 2U) != 0) {
        config.role_map = {{"g", domain::Role::researcher}};
    }
    Provider provider(text);
    const test::ManualClock clock;
    const Ctx ctx{clock};
    service::OidcProvider reader(
        config, [&](const Ctx&, const WebRequest& asked) { return provider.answer(asked); }, clock
    );
    const auto places = reader.endpoints(ctx);
    if (!places) {
        check_refusal(places.error());
    } else {
        require(is_theirs(places->authorization), "browsers are sent to the provider");
        require(is_theirs(places->token) && is_theirs(places->keys), "places are the provider's");
    }
    const auto claims = reader.redeem(ctx, "code", "verifier", "n");
    if (!claims) {
        check_refusal(claims.error());
        return;
    }
    require(places.has_value(), "a login knows the provider");
    require(claims->at("iss") == "https://id.example.org", "the issuer is the one we know");
    require(claims->at("nonce") == "n", "the login is this one");
    require(claims->at("sub") == "s", "who comes in is who was signed for");
}
