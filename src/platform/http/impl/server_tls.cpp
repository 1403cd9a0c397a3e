#include "platform/http/impl/server_socket.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

namespace lab::http {
namespace {

struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

/// On the descriptor itself: the stream class of Asio would keep 34 KB of buffers a connection.
/// OpenSSL writes without MSG_NOSIGNAL; I/O threads block SIGPIPE.
class TlsSocket final : public ServerSocket {
  public:
    TlsSocket(SSL* ssl, int fd) : ssl_(ssl), fd_(fd) {}

    IoStep shake_hands() override {
        ERR_clear_error();
        return step(SSL_accept(ssl_.get()), 0);
    }

    IoStep read(char* data, std::size_t size) override {
        ERR_clear_error();
        std::size_t got = 0;
        return step(SSL_read_ex(ssl_.get(), data, size, &got), got);
    }

    IoStep write(std::span<const iovec> parts) override {
        std::size_t total = 0;
        for (const iovec& part : parts) {
            ERR_clear_error();
            std::size_t sent = 0;
            const int result = SSL_write_ex(ssl_.get(), part.iov_base, part.iov_len, &sent);
            if (result != 1) {
                return total > 0 ? IoStep{Io::done, total} : step(result, 0);
            }
            total += sent;
            if (sent < part.iov_len) {
                break;
            }
        }
        return {Io::done, total};
    }

    // Not SSL_has_pending(): that also counts half a record, and we would come back at once for
    // ever.
    bool has_pending() const override { return SSL_pending(ssl_.get()) > 0; }

    void end_sending() override {
        ERR_clear_error();
        SSL_shutdown(ssl_.get());  // close_notify, if there is room for it
        ::shutdown(fd_, SHUT_WR);
    }

  private:
    IoStep step(int result, std::size_t bytes) {
        if (result == 1) {
            return {Io::done, bytes};
        }
        switch (SSL_get_error(ssl_.get(), result)) {
            case SSL_ERROR_WANT_READ:
                return {Io::wait_read};
            case SSL_ERROR_WANT_WRITE:
                return {Io::wait_write};
            case SSL_ERROR_ZERO_RETURN:
                return {Io::end};
            default:
                return {Io::failed};
        }
    }

    std::unique_ptr<SSL, FreeSsl> ssl_;
    int fd_;
};

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned int offered_size, void*) {
    static constexpr std::array<unsigned char, 9> kOurs = {
        8, 'h', 't', 't', 'p', '/', '1', '.', '1'
    };
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(
            &chosen, out_size, kOurs.data(), kOurs.size(), offered, offered_size
        ) != OPENSSL_NPN_NEGOTIATED) {
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

class OpensslContext final : public TlsContext {
  public:
    explicit OpensslContext(std::unique_ptr<SSL_CTX, FreeSsl> context)
        : context_(std::move(context)) {}

    std::unique_ptr<ServerSocket> make_socket(int fd) const override {
        SSL* ssl = SSL_new(context_.get());
        if (ssl == nullptr) {
            return nullptr;
        }
        auto socket = std::make_unique<TlsSocket>(ssl, fd);
        return SSL_set_fd(ssl, fd) == 1 ? std::move(socket) : nullptr;
    }

  private:
    std::unique_ptr<SSL_CTX, FreeSsl> context_;
};

Error tls_error(const std::string& what) {
    std::array<char, 256> reason{};
    ERR_error_string_n(ERR_get_error(), reason.data(), reason.size());
    Error error(Code::validation, what);
    error.cause = reason.data();
    return error;
}

}  // namespace

Result<std::shared_ptr<const TlsContext>> load_tls(
    const std::string& certificate_file, const std::string& key_file
) {
    ERR_clear_error();
    std::unique_ptr<SSL_CTX, FreeSsl> context(SSL_CTX_new(TLS_server_method()));
    if (!context || SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1) {
        return tls_error("TLS cannot be set up");
    }
    SSL_CTX_set_options(
        context.get(),
        SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE
    );
    SSL_CTX_set_mode(
        context.get(),
        SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
            SSL_MODE_RELEASE_BUFFERS
    );
    SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
    // A key with a passphrase would ask for it on the terminal.
    SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return 0; });
    if (SSL_CTX_use_certificate_chain_file(context.get(), certificate_file.c_str()) != 1) {
        return tls_error("the certificate cannot be read: " + certificate_file);
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
        return tls_error("the key cannot be read: " + key_file);
    }
    if (SSL_CTX_check_private_key(context.get()) != 1) {
        return tls_error("the key does not belong to the certificate: " + key_file);
    }
    return std::shared_ptr<const TlsContext>(
        std::make_shared<const OpensslContext>(std::move(context))
    );
}

}  // namespace lab::http
