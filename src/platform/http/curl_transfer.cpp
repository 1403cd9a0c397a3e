#include "platform/http/curl_transfer.h"

#include "base/text.h"

namespace lab::http {
namespace {

constexpr std::size_t kHeadersMax = 200;
constexpr std::size_t kHeadBytesMax = 64U << 10;
/// Answers of models come in small pieces; thousands of transfers hold one such buffer each.
constexpr long kReceiveBufferBytes = 8192;

/// Whether the error means that no connection came about.
bool is_connect_error(CURLcode code) {
    switch (code) {
        case CURLE_UNSUPPORTED_PROTOCOL:
        case CURLE_URL_MALFORMAT:
        case CURLE_COULDNT_RESOLVE_PROXY:
        case CURLE_COULDNT_RESOLVE_HOST:
        case CURLE_COULDNT_CONNECT:
        case CURLE_INTERFACE_FAILED:
        case CURLE_SSL_CONNECT_ERROR:
        case CURLE_SSL_ENGINE_NOTFOUND:
        case CURLE_SSL_ENGINE_SETFAILED:
        case CURLE_SSL_ENGINE_INITFAILED:
        case CURLE_SSL_CERTPROBLEM:
        case CURLE_SSL_CIPHER:
        case CURLE_PEER_FAILED_VERIFICATION:
        case CURLE_SSL_CACERT_BADFILE:
        case CURLE_SSL_CRL_BADFILE:
        case CURLE_SSL_ISSUER_ERROR:
        case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
        case CURLE_SSL_INVALIDCERTSTATUS:
        case CURLE_SSL_CLIENTCERT:
        case CURLE_PROXY:
        case CURLE_QUIC_CONNECT_ERROR:
            return true;
        default:
            return false;
    }
}

TransferFailure failure_of(CURLcode code, bool sent) {
    if (!sent && (is_connect_error(code) || code == CURLE_OPERATION_TIMEDOUT ||
                  code == CURLE_SEND_ERROR || code == CURLE_RECV_ERROR)) {
        return TransferFailure::connect;
    }
    switch (code) {
        case CURLE_OK:
            return TransferFailure::none;
        case CURLE_OPERATION_TIMEDOUT:
            return TransferFailure::timeout;
        case CURLE_UNSUPPORTED_PROTOCOL:  // "Received HTTP/0.9 when not allowed"
        case CURLE_WEIRD_SERVER_REPLY:
        case CURLE_BAD_CONTENT_ENCODING:
        case CURLE_HTTP2:
            return TransferFailure::protocol;
        default:
            return TransferFailure::closed;
    }
}

void set(CURL* easy, CURLoption option, long value) { curl_easy_setopt(easy, option, value); }

}  // namespace

Transfer::Transfer(std::uint32_t index) : easy_(curl_easy_init()), index_(index) {
    LAB_ASSERT(easy_ != nullptr, "memory for a transfer");
    set(easy_, CURLOPT_NOSIGNAL, 1);
    curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
    set(easy_, CURLOPT_FOLLOWLOCATION, 0);
    set(easy_, CURLOPT_PATH_AS_IS, 1);  // signatures are made over the path as it is written
    set(easy_, CURLOPT_FAILONERROR, 0);
    set(easy_, CURLOPT_SSL_VERIFYPEER, 1);
    set(easy_, CURLOPT_SSL_VERIFYHOST, 2);
    set(easy_, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
    // libcurl keeps the parsed certificates of a file, not of a folder: without this each
    // connection parses the system's whole list again, 20 ms of CPU.
    curl_easy_setopt(easy_, CURLOPT_CAPATH, nullptr);
    set(easy_, CURLOPT_TCP_NODELAY, 1);
    set(easy_, CURLOPT_TCP_KEEPALIVE, 1);
    set(easy_, CURLOPT_BUFFERSIZE, kReceiveBufferBytes);
    set(easy_, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1);
    set(easy_, CURLOPT_DNS_CACHE_TIMEOUT, 120);
    // Otherwise the end of a transfer waits, with the whole loop, for a resolver that hangs.
    set(easy_, CURLOPT_QUICK_EXIT, 1);
    set(easy_, CURLOPT_NETRC, CURL_NETRC_IGNORED);
    curl_easy_setopt(easy_, CURLOPT_PRIVATE, this);
    curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, error_text_.data());
    curl_easy_setopt(easy_, CURLOPT_READFUNCTION, &on_read);
    curl_easy_setopt(easy_, CURLOPT_READDATA, this);
    curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, &on_header);
    curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
    curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, &on_body);
    curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
}

Transfer::~Transfer() {
    curl_easy_cleanup(easy_);
    curl_slist_free_all(header_list_);
    curl_slist_free_all(resolve_list_);
}

void Transfer::resolve_to(const std::string& entry) {
    curl_slist_free_all(std::exchange(resolve_list_, curl_slist_append(nullptr, entry.c_str())));
    curl_easy_setopt(easy_, CURLOPT_RESOLVE, resolve_list_);
}

void Transfer::begin(Request request, std::shared_ptr<ResponseSink> sink, TimePoint now) {
    ++generation_;
    request_ = std::move(request);
    sink_ = std::move(sink);
    started_ = now;
    sends_ = 0;
    status_ = 0;
    head_done_ = false;
    head_bytes_ = 0;
    body_bytes_ = 0;
    stopped_ = TransferFailure::none;
    address_refused_ = {};
    error_text_[0] = '\0';
}

bool Transfer::configure(TimePoint now) {
    const Duration left = request_.total_timeout - (now - started_);
    if (left <= Duration::zero()) {
        return false;
    }
    if (url_changes()) {
        url_set_ = request_.url;
        curl_easy_setopt(easy_, CURLOPT_URL, url_set_.c_str());
        // Over TLS many requests share one HTTP/2 connection, once it is known that it is one.
        const bool tls = request_.url.starts_with("https:");
        set(easy_, CURLOPT_HTTP_VERSION, tls ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1);
        set(easy_, CURLOPT_PIPEWAIT, tls ? 1 : 0);
    }
    set_method();
    set_headers();
    const auto ms = [](Duration d) {
        const auto up = std::chrono::ceil<std::chrono::milliseconds>(d).count();
        return static_cast<long>(std::clamp<std::int64_t>(up, 1, 2'000'000'000));
    };
    set(easy_, CURLOPT_TIMEOUT_MS, ms(left));
    set(easy_, CURLOPT_CONNECTTIMEOUT_MS, ms(request_.connect_timeout));
    return true;
}

void Transfer::set_method() {
    BodySource* const source = request_.source.get();
    const bool has_body = request_.method == "POST" || request_.method == "PUT" ||
                          !request_.body.empty() || source != nullptr;
    if (method_set_ != request_.method || has_body != has_body_set_) {
        method_set_ = request_.method;
        has_body_set_ = has_body;
        const bool usual = method_set_ == (has_body ? "POST" : "GET");
        set(easy_, has_body ? CURLOPT_POST : CURLOPT_HTTPGET, 1);
        if (method_set_ == "HEAD") {
            set(easy_, CURLOPT_NOBODY, 1);  // the two above take it back
        }
        curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, usual ? nullptr : method_set_.c_str());
    }
    if (has_body) {
        const std::uint64_t size = source != nullptr ? source->size() : request_.body.size();
        curl_easy_setopt(
            easy_, CURLOPT_POSTFIELDS, source != nullptr ? nullptr : request_.body.data()
        );
        curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(size));
    }
}

void Transfer::set_headers() {
    if (header_list_ != nullptr && headers_set_ == request_.headers) {
        return;
    }
    curl_slist_free_all(std::exchange(header_list_, nullptr));
    headers_set_ = request_.headers;
    // Large bodies would otherwise wait for a "100 Continue" that many servers never send.
    curl_slist* list = curl_slist_append(nullptr, "Expect:");
    std::string line;
    for (const auto& [name, value] : headers_set_) {
        line = name;
        line += value.empty() ? ";" : ": ";  // libcurl's way to send a header without a value
        line += value;
        list = curl_slist_append(list, line.c_str());
    }
    header_list_ = list;
    curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, header_list_);
}

std::string_view Transfer::origin_text() const {
    const std::string_view url = request_.url;
    const std::size_t scheme = url.find("://");
    const std::size_t host = scheme == std::string_view::npos ? 0 : scheme + 3;
    return url.substr(0, url.find_first_of("/?#", host));
}

bool Transfer::stop(TransferFailure failure, std::string message) {
    if (stopped_ != TransferFailure::none) {
        return false;
    }
    stopped_ = failure;
    stop_message_ = std::move(message);
    return true;
}

TransferEnd Transfer::end_of(CURLcode code) const {
    const int status = head_done_ ? status_ : 0;
    if (stopped_ != TransferFailure::none) {
        return {stopped_, stop_message_, status};
    }
    if (code == CURLE_OK) {
        if (!head_done_) {
            return {TransferFailure::protocol, "the response has no head", 0};
        }
        return {TransferFailure::none, "", status};
    }
    if (sends_ > 1) {
        return {TransferFailure::closed, "the server closed the kept connection", 0};
    }
    if (!address_refused_.empty() && code == CURLE_COULDNT_CONNECT) {
        return {
            TransferFailure::refused,
            target.host + " resolves to " + std::string(address_refused_) +
                ", which may not be called",
            0
        };
    }
    std::string message = error_text_[0] != '\0' ? error_text_.data() : curl_easy_strerror(code);
    return {failure_of(code, sends_ > 0), shorten(sanitize_utf8(message), 300), status};
}

std::shared_ptr<ResponseSink> Transfer::release() {
    request_.body = {};
    request_.source.reset();
    head_.clear();
    return std::exchange(sink_, nullptr);
}

std::size_t Transfer::on_read(char* bytes, std::size_t size, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    BodySource* const source = transfer.request_.source.get();
    const std::size_t read = source == nullptr ? 0 : source->read(bytes, size * count);
    // libcurl asks no more once it has all: nothing now is a file that has become shorter.
    return read > 0 || (source != nullptr && source->size() == 0) ? read : CURL_READFUNC_ABORT;
}

std::size_t Transfer::on_header(char* bytes, std::size_t, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    return transfer.take_header({bytes, count}) ? count : 0;
}

bool Transfer::take_header(std::string_view line) {
    if (stopped_ != TransferFailure::none) {
        return false;
    }
    if (head_done_) {
        return true;  // a trailer, of no use to anybody here
    }
    head_bytes_ += line.size();
    if (head_bytes_ > kHeadBytesMax || head_.size() >= kHeadersMax) {
        stop(TransferFailure::too_large, "the response's head is too large");
        return false;
    }
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) {
        line.remove_suffix(1);
    }
    if (line.empty()) {
        return head_is_complete();
    }
    if (line.starts_with("HTTP/")) {
        head_.clear();
        return true;
    }
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && colon > 0) {
        head_.emplace_back(line.substr(0, colon), trim_ascii(line.substr(colon + 1)));
    }
    return true;
}

bool Transfer::head_is_complete() {
    long status = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
    if (status < 200) {
        head_.clear();  // an interim response: the real one follows
        return true;
    }
    status_ = static_cast<int>(status);
    head_done_ = true;
    sink_->on_head(status_, head_);
    return stopped_ == TransferFailure::none;
}

std::size_t Transfer::on_body(char* bytes, std::size_t, std::size_t count, void* self) {
    auto& transfer = *static_cast<Transfer*>(self);
    if (transfer.stopped_ != TransferFailure::none) {
        return 0;
    }
    transfer.body_bytes_ += count;
    if (transfer.body_bytes_ > transfer.request_.body_bytes_max) {
        transfer.stop(TransferFailure::too_large, "the response is too large");
        return 0;
    }
    if (!transfer.sink_->on_data({bytes, count})) {
        transfer.stop(TransferFailure::cancelled, "the rest was not wanted");
        return 0;
    }
    return count;
}

}  // namespace lab::http
