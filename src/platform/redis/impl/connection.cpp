#include "platform/redis/impl/connection.h"

#include "platform/process/event_loop_native.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/write.hpp>

#include <array>
#include <optional>

namespace lab::redis {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

struct TlsContext {
    asio::ssl::context context{asio::ssl::context::tls_client};
};

Result<std::shared_ptr<TlsContext>> make_tls_context(const std::string& ca_file) {
    auto out = std::make_shared<TlsContext>();
    error_code code;
    if (ca_file.empty()) {
        code = out->context.set_default_verify_paths(code);
    } else {
        code = out->context.load_verify_file(ca_file, code);
    }
    if (!code) {
        code = out->context.set_options(
            asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv3 |
                asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1,
            code
        );
    }
    if (code) {
        return Error(Code::io, "the certificates to check Redis with cannot be read");
    }
    return out;
}

struct Connection::Impl : std::enable_shared_from_this<Impl> {
    Impl(asio::io_context& io, std::shared_ptr<TlsContext> context, Address to, Handlers told)
        : tls(std::move(context)),
          address(std::move(to)),
          handlers(std::move(told)),
          resolver(io),
          socket(io) {
        if (tls) {
            stream.emplace(socket, tls->context);
        }
    }

    /// Calls `use` with the stream that the bytes of Redis go over.
    template <class Use>
    void with_stream(const Use& use) {
        if (stream) {
            use(*stream);
        } else {
            use(socket);
        }
    }

    void fail(const error_code& code) {
        if (!alive) {
            return;
        }
        alive = false;
        close();
        handlers.closed(code.message());
    }

    void close() {
        error_code ignored;
        resolver.cancel();
        ignored = socket.close(ignored);
    }

    void start() {
        error_code code;
        const auto literal = asio::ip::make_address(address.host, code);
        if (!code) {
            const std::array<tcp::endpoint, 1> one{tcp::endpoint(literal, address.port)};
            connect(one);
            return;
        }
        resolver.async_resolve(
            address.host,
            std::to_string(address.port),
            [self = shared_from_this(
             )](const error_code& error, const tcp::resolver::results_type& all) {
                if (error) {
                    self->fail(error);
                } else if (self->alive) {
                    self->connect(all);
                }
            }
        );
    }

    template <class Endpoints>
    void connect(const Endpoints& endpoints) {
        asio::async_connect(
            socket,
            endpoints,
            [self = shared_from_this()](const error_code& error, const tcp::endpoint&) {
                if (error) {
                    self->fail(error);
                } else if (self->alive) {
                    self->on_connected();
                }
            }
        );
    }

    void on_connected() {
        error_code ignored;
        ignored = socket.set_option(tcp::no_delay(true), ignored);
        ignored = socket.set_option(asio::socket_base::keep_alive(true), ignored);
        if (!stream) {
            begin();
            return;
        }
        error_code code;
        code = stream->set_verify_mode(asio::ssl::verify_peer, code);
        if (!code) {
            code =
                stream->set_verify_callback(asio::ssl::host_name_verification(address.host), code);
        }
        if (!code && SSL_set_tlsext_host_name(stream->native_handle(), address.host.c_str()) != 1) {
            code = boost::system::errc::make_error_code(boost::system::errc::invalid_argument);
        }
        if (code) {
            fail(code);
            return;
        }
        stream->async_handshake(
            asio::ssl::stream_base::client,
            [self = shared_from_this()](const error_code& error) {
                if (error) {
                    self->fail(error);
                } else if (self->alive) {
                    self->begin();
                }
            }
        );
    }

    void begin() {
        is_open = true;
        handlers.connected();
        if (alive) {
            read();
            flush();
        }
    }

    void read() {
        with_stream([&](auto& from) {
            from.async_read_some(
                asio::buffer(input),
                [self = shared_from_this()](const error_code& error, std::size_t bytes) {
                    if (error) {
                        self->fail(error);
                        return;
                    }
                    if (self->alive) {
                        self->handlers.received(std::string_view(self->input.data(), bytes));
                    }
                    if (self->alive) {
                        self->read();
                    }
                }
            );
        });
    }

    void flush() {
        if (!is_open || !alive || !writing.empty() || pending.empty()) {
            return;
        }
        writing.swap(pending);
        with_stream([&](auto& to) {
            asio::async_write(
                to,
                asio::buffer(writing),
                [self = shared_from_this()](const error_code& error, std::size_t) {
                    if (error) {
                        self->fail(error);
                        return;
                    }
                    self->writing.clear();
                    self->flush();
                }
            );
        });
    }

    const std::shared_ptr<TlsContext> tls;
    const Address address;
    const Handlers handlers;
    bool alive = true;
    bool is_open = false;
    tcp::resolver resolver;
    tcp::socket socket;
    std::optional<asio::ssl::stream<tcp::socket&>> stream;
    std::array<char, 16384> input{};
    std::string pending;
    std::string writing;
};

Connection::Connection(
    EventLoop& loop, std::shared_ptr<TlsContext> tls, const Address& address, Handlers handlers
)
    : impl_(std::make_shared<Impl>(loop.native().io, std::move(tls), address, std::move(handlers))
      ) {
    impl_->start();
}

Connection::~Connection() {
    impl_->alive = false;
    impl_->close();
}

void Connection::write(std::string_view bytes) {
    impl_->pending += bytes;
    impl_->flush();
}

std::size_t Connection::unsent() const { return impl_->pending.size() + impl_->writing.size(); }

}  // namespace lab::redis
