#include "platform/otlp/sender.h"

#include "base/error.h"
#include "base/text.h"
#include "platform/otlp/impl/verdict.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <atomic>

namespace lab::otlp {
namespace {

constexpr std::size_t kBodyBytesMax = 64U << 10;
constexpr std::size_t kHeadersMax = 100;

void set(CURL* easy, CURLoption option, long value) { curl_easy_setopt(easy, option, value); }

/// As gRPC sends a message: whether it is compressed, its length, itself.
std::string frame(const std::string& message) {
    std::string out(1, '\0');
    for (int shift = 24; shift >= 0; shift -= 8) {
        out += static_cast<char>(message.size() >> static_cast<unsigned>(shift) & 0xffU);
    }
    return out + message;
}

/// "10000m" for ten seconds: at most eight digits, in milliseconds.
std::string grpc_timeout(Duration timeout) {
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
    return std::to_string(std::min<std::int64_t>(ms, 99'999'999)) + "m";
}

}  // namespace

struct Sender::Impl {
    explicit Impl(SenderOptions given)
        : options(std::move(given)), easy(curl_easy_init()), multi(curl_multi_init()) {
        LAB_ASSERT(easy != nullptr && multi != nullptr, "memory for a transfer");
        set(easy, CURLOPT_NOSIGNAL, 1);
        curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
        set(easy, CURLOPT_FOLLOWLOCATION, 0);
        set(easy, CURLOPT_SSL_VERIFYPEER, 1);
        set(easy, CURLOPT_SSL_VERIFYHOST, 2);
        set(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
        curl_easy_setopt(easy, CURLOPT_CAPATH, nullptr);
        if (!options.ca_file.empty()) {
            curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
        }
        // A resolver that hangs does not hold up the end of the process.
        set(easy, CURLOPT_QUICK_EXIT, 1);
        set(easy, CURLOPT_NETRC, CURL_NETRC_IGNORED);
        set(easy, CURLOPT_TCP_NODELAY, 1);
        curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, error_text.data());
        curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &on_header);
        curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
        curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &on_body);
        curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
        set(easy, CURLOPT_HTTP_VERSION, http_version());
        // libcurl 7.88 loses its way on a kept HTTP/2 connection without TLS (docs/decisions/0017).
        set(easy, CURLOPT_FORBID_REUSE, is_grpc() && !is_tls() ? 1 : 0);
        add_headers();
    }

    ~Impl() {
        curl_multi_cleanup(multi);
        curl_easy_cleanup(easy);
        curl_slist_free_all(headers);
    }

    Impl(const Impl&) = delete;
    Impl& operator=(const Impl&) = delete;

    bool is_grpc() const { return options.protocol == Protocol::grpc; }
    bool is_tls() const { return options.endpoint.starts_with("https:"); }

    long http_version() const {
        if (!is_grpc()) {
            return CURL_HTTP_VERSION_1_1;
        }
        return is_tls() ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE;
    }

    void add_header(const std::string& line) { headers = curl_slist_append(headers, line.c_str()); }

    void add_headers() {
        add_header(
            is_grpc() ? "content-type: application/grpc" : "content-type: application/x-protobuf"
        );
        if (is_grpc()) {
            add_header("te: trailers");
            add_header("grpc-timeout: " + grpc_timeout(options.timeout));
        }
        add_header("user-agent: " + options.user_agent);
        add_header("accept:");
        add_header("expect:");
        for (const auto& [name, value] : options.headers) {
            add_header(name + ": " + value);
        }
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
    }

    std::string url_of(std::string_view service, std::string_view path) const {
        std::string base = options.endpoint;
        while (base.ends_with('/')) {
            base.pop_back();
        }
        return is_grpc() ? base + "/" + std::string(service) + "/Export" : base + std::string(path);
    }

    static std::size_t on_header(char* bytes, std::size_t, std::size_t count, void* self) {
        const std::string_view line(bytes, count);
        Reply& reply = static_cast<Impl*>(self)->reply;
        const std::size_t colon = line.find(':', 1);
        if (colon != line.npos && reply.headers.size() < kHeadersMax) {
            // Trailers come here too, behind the body.
            reply.headers.emplace_back(
                to_lower(trim_ascii(line.substr(0, colon))), trim_ascii(line.substr(colon + 1))
            );
        }
        return count;
    }

    static std::size_t on_body(char* bytes, std::size_t, std::size_t count, void* self) {
        std::string& body = static_cast<Impl*>(self)->reply.body;
        if (body.size() + count > kBodyBytesMax) {
            return 0;
        }
        body.append(bytes, count);
        return count;
    }

    /// Runs the transfer to its end; CURLE_ABORTED_BY_CALLBACK: somebody wanted it to end.
    CURLcode run() {
        curl_multi_add_handle(multi, easy);
        CURLcode code = CURLE_ABORTED_BY_CALLBACK;
        bool ended = false;
        while (!ended && !interrupted) {
            int running = 0;
            if (curl_multi_perform(multi, &running) != CURLM_OK) {
                break;
            }
            int left = 0;
            while (const CURLMsg* const message = curl_multi_info_read(multi, &left)) {
                if (message->msg == CURLMSG_DONE) {
                    code = message->data.result;
                    ended = true;
                }
            }
            if (!ended) {
                curl_multi_poll(multi, nullptr, 0, 1000, nullptr);
            }
        }
        curl_multi_remove_handle(multi, easy);
        return code;
    }

    const SenderOptions options;
    CURL* easy;
    CURLM* multi;
    curl_slist* headers = nullptr;
    std::atomic<bool> interrupted = false;
    std::array<char, CURL_ERROR_SIZE> error_text{};
    Reply reply;
};

Sender::Sender(SenderOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}
Sender::~Sender() = default;

Answer Sender::send(std::string_view service, std::string_view path, const std::string& message) {
    Impl& on = *impl_;
    const std::string body = on.is_grpc() ? frame(message) : message;
    const std::string url = on.url_of(service, path);
    on.reply = {};
    on.error_text[0] = '\0';
    curl_easy_setopt(on.easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(on.easy, CURLOPT_POSTFIELDS, body.c_str());
    curl_easy_setopt(on.easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(on.options.timeout).count();
    set(on.easy, CURLOPT_TIMEOUT_MS, static_cast<long>(ms));
    set(on.easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(ms));
    const CURLcode code = on.run();
    long status = 0;
    curl_easy_getinfo(on.easy, CURLINFO_RESPONSE_CODE, &status);
    on.reply.status = static_cast<int>(status);
    if (code != CURLE_OK) {
        on.reply.broken =
            on.error_text[0] != '\0' ? on.error_text.data() : curl_easy_strerror(code);
    }
    return on.is_grpc() ? grpc_verdict(on.reply) : http_verdict(on.reply);
}

void Sender::interrupt() {
    impl_->interrupted = true;
    curl_multi_wakeup(impl_->multi);
}

}  // namespace lab::otlp
