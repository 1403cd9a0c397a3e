#pragma once
#include "base/result.h"
#include "platform/http/client.h"
#include "platform/http/url_guard.h"

#include <curl/curl.h>

#include <array>

namespace lab::http {

/// One easy handle and the transfer that it carries out, if any: private to client_curl.cpp.
/// Handles are reused, and an option that stays as it was is not set again.
class Transfer {
  public:
    explicit Transfer(std::uint32_t index);
    ~Transfer();
    Transfer(const Transfer&) = delete;
    Transfer& operator=(const Transfer&) = delete;

    CURL* easy() const { return easy_; }
    std::uint32_t index() const { return index_; }
    TransferId id() const { return (TransferId{generation_} << 32U) | index_; }
    bool busy() const { return sink_ != nullptr; }

    void begin(Request request, std::shared_ptr<ResponseSink> sink, TimePoint now);
    /// Sets the options; false when its time is over.
    bool configure(TimePoint now);
    /// The URL is another than that of the handle's last transfer.
    bool url_changes() const { return url_set_ != request_.url; }
    /// scheme://host:port of the URL.
    std::string_view origin_text() const;
    /// Called before each request on the wire: true once. See curl_client.h.
    bool about_to_send() { return sends_++ == 0; }
    /// Why the transfer will be ended; the first reason stays, and then true is returned.
    bool stop(TransferFailure failure, std::string message);
    /// An address of the host was not taken; that is why, unless another one is.
    void refuse_address(std::string_view why) { address_refused_ = why; }
    const std::string& url() const { return request_.url; }
    /// "host:port:address": what the host resolves to, this time.
    void resolve_to(const std::string& entry);
    TransferEnd end_of(CURLcode code) const;
    /// The transfer is over: gives its sink away and frees what it held.
    std::shared_ptr<ResponseSink> release();

    // For the client.
    void* owner = nullptr;
    void* origin = nullptr;
    void* shard = nullptr;  ///< while libcurl has it
    bool connecting = false;
    OutboundUrl target = {};  ///< with a guard

  private:
    static std::size_t on_read(char* bytes, std::size_t size, std::size_t count, void* self);
    static std::size_t on_header(char* bytes, std::size_t, std::size_t count, void* self);
    static std::size_t on_body(char* bytes, std::size_t, std::size_t count, void* self);
    bool take_header(std::string_view line);
    bool head_is_complete();
    void set_method();
    void set_headers();

    CURL* easy_;
    curl_slist* header_list_ = nullptr;
    curl_slist* resolve_list_ = nullptr;
    Headers headers_set_;
    std::string url_set_;
    std::string method_set_;
    bool has_body_set_ = false;
    std::uint32_t index_;
    std::uint32_t generation_ = 0;
    std::array<char, CURL_ERROR_SIZE> error_text_{};

    Request request_;
    std::shared_ptr<ResponseSink> sink_;
    TimePoint started_{};
    int sends_ = 0;
    int status_ = 0;
    bool head_done_ = false;
    Headers head_;
    std::size_t head_bytes_ = 0;
    std::size_t body_bytes_ = 0;
    TransferFailure stopped_ = TransferFailure::none;
    std::string stop_message_;
    std::string_view address_refused_;
};

}  // namespace lab::http
