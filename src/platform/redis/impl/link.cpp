#include "platform/redis/impl/link.h"

#include <algorithm>

namespace lab::redis {
namespace {

constexpr Duration kLookOften = std::chrono::milliseconds(100);
constexpr Duration kLookRarely = std::chrono::seconds(1);
/// Nobody asked for so long: is it still there?
constexpr Duration kIdleMax = std::chrono::seconds(5);

Error away() { return {Code::unavailable, "Redis cannot be reached"}; }

std::string command_of(std::initializer_list<std::string> words) {
    std::string out;
    append_command(out, std::vector<std::string>(words));
    return out;
}

}  // namespace

Link::Link(EventLoop& loop, const LinkOptions& options, Address address, Kind kind, Events events)
    : loop_(loop),
      options_(options),
      address_(std::move(address)),
      kind_(kind),
      events_(std::move(events)),
      rng_(entropy()) {
    connect();
    arm();
}

Link::~Link() {
    loop_.cancel_timer(timer_);
    connection_.reset();
    state_ = State::away;
    auto calls = std::move(calls_);
    for (auto& [id, call] : calls) {
        loop_.cancel_timer(call.timer);
        call.reply(away());
    }
}

bool Link::is_usable() const {
    return is_ready() ||
           ((state_ == State::connecting || state_ == State::greeting) && failures_ == 0);
}

void Link::connect() {
    state_ = State::connecting;
    begun_ = loop_.clock().now();
    reader_ = std::make_unique<ReplyReader>(options_.replies);
    ++generation_;
    connection_ = std::make_unique<Connection>(
        loop_,
        options_.tls,
        address_,
        Connection::Handlers{
            .connected = [this] { greet(); },
            .received = [this](std::string_view bytes) { received(bytes); },
            .closed = [this](std::string_view why) { drop(why); },
        }
    );
}

/// RESP3 with the login in one command; Redis 6 and later understand it.
void Link::greet() {
    state_ = State::greeting;
    std::vector<std::string> words{"HELLO", "3"};
    const Endpoint& endpoint = options_.endpoint;
    if (!endpoint.password.empty()) {
        words.insert(
            words.end(),
            {"AUTH", endpoint.user.empty() ? "default" : endpoint.user, endpoint.password}
        );
    }
    ask_now(words, [this](const Result<Value>& reply) { greeted(reply); });
}

void Link::greeted(const Result<Value>& reply) {
    if (!reply) {
        return;  // dropped already
    }
    const bool is_unknown = reply->is_error("NOPROTO") ||
                            (reply->is_error("ERR") && reply->text.contains("unknown command"));
    if (is_unknown) {
        greet_as_before();
    } else if (reply->is_error()) {
        drop("the login is refused: " + reply->text.substr(0, reply->text.find(' ')));
    } else {
        select();
    }
}

/// RESP2, as servers before Redis 6 and some gateways speak it.
void Link::greet_as_before() {
    const Endpoint& endpoint = options_.endpoint;
    if (endpoint.password.empty()) {
        select();
        return;
    }
    std::vector<std::string> words{"AUTH"};
    if (!endpoint.user.empty()) {
        words.push_back(endpoint.user);
    }
    words.push_back(endpoint.password);
    ask_now(words, [this](const Result<Value>& reply) {
        if (reply && reply->is_error()) {
            drop("the login is refused: " + reply->text.substr(0, reply->text.find(' ')));
        } else if (reply) {
            select();
        }
    });
}

void Link::select() {
    if (options_.endpoint.database == 0) {
        become_ready();
        return;
    }
    const std::string number = std::to_string(options_.endpoint.database);
    ask_now(std::vector<std::string>{"SELECT", number}, [this](const Result<Value>& reply) {
        if (reply && reply->is_error()) {
            drop("the database cannot be selected");
        } else if (reply) {
            become_ready();
        }
    });
}

void Link::become_ready() {
    state_ = State::ready;
    failures_ = 0;
    slow_ = false;
    told_lost_ = false;
    auto waiting = std::move(waiting_);
    waiting_.clear();
    for (const Waiting& one : waiting) {
        if (calls_.contains(one.id)) {
            transmit(one.id, one.asking, one.command);
        }
    }
    events_.usable();
}

void Link::call(std::string command, bool asking, TimePoint deadline, Reply reply) {
    if (!is_usable() || calls_.size() + waiting_.size() >= options_.calls_max ||
        (connection_ && connection_->unsent() > options_.unsent_bytes_max)) {
        reply(away());
        return;
    }
    const std::uint64_t id = add_call(deadline, std::move(reply));
    if (state_ == State::ready) {
        transmit(id, asking, command);
    } else {
        waiting_.push_back({id, asking, std::move(command)});
    }
}

void Link::leave(std::string_view why) {
    if (state_ == State::ready) {
        drop(why);
    }
}

void Link::send(std::string_view command) {
    if (state_ == State::ready) {
        connection_->write(command);
    }
}

std::uint64_t Link::add_call(TimePoint deadline, Reply reply) {
    const std::uint64_t id = ++last_id_;
    Executor::TimerId timer = 0;
    if (deadline != TimePoint::max()) {
        timer = loop_.call_at(deadline, [this, id] { ran_out(id); });
    }
    calls_.emplace(id, Call{std::move(reply), timer});
    return id;
}

void Link::transmit(std::uint64_t id, bool asking, std::string_view command) {
    if (sent_.empty()) {
        heard_ = loop_.clock().now();
    }
    if (asking) {
        static const std::string kAsking = command_of({"ASKING"});
        connection_->write(kAsking);
        sent_.push_back(0);
    }
    connection_->write(command);
    sent_.push_back(id);
}

/// Before the link is ready, or beside what others ask.
void Link::ask_now(std::span<const std::string> words, Reply reply) {
    std::string command;
    append_command(command, words);
    transmit(add_call(TimePoint::max(), std::move(reply)), false, command);
}

void Link::received(std::string_view bytes) {
    heard_ = loop_.clock().now();
    reader_->feed(bytes);
    const std::uint64_t generation = generation_;
    while (generation == generation_ && connection_) {
        auto next = reader_->next();
        if (!next) {
            drop(next.error().message);
            return;
        }
        std::optional<Value>& value = *next;
        if (!value) {
            return;
        }
        answered(std::move(*value));
    }
}

void Link::answered(Value value) {
    const bool is_listening = kind_ == Kind::listener && state_ == State::ready;
    if (value.kind == Value::Kind::push || is_listening) {
        if (events_.pushed) {
            events_.pushed(std::move(value));
        }
        return;
    }
    if (sent_.empty()) {
        drop("an answer that nobody asked for");
        return;
    }
    const std::uint64_t id = sent_.front();
    sent_.pop_front();
    finish(id, std::move(value));
}

void Link::finish(std::uint64_t id, Result<Value> result) {
    const auto found = calls_.find(id);
    if (found == calls_.end()) {
        return;
    }
    Call call = std::move(found->second);
    calls_.erase(found);
    loop_.cancel_timer(call.timer);
    call.reply(std::move(result));
}

/// The answer is late. It is thrown away when it comes, and until a PING comes back in time nobody
/// is made to wait for this server again.
void Link::ran_out(std::uint64_t id) {
    const bool was_sent = state_ == State::ready;
    if (was_sent && !slow_) {
        slow_ = true;
        if (!std::exchange(told_lost_, true)) {
            events_.lost("it answers too slowly");
        }
        probe();
    }
    finish(id, Error(Code::timed_out, "Redis did not answer in time"));
}

void Link::probe() {
    const TimePoint asked = loop_.clock().now();
    ask_now(std::vector<std::string>{"PING"}, [this, asked](const Result<Value>& reply) {
        if (!reply || state_ != State::ready) {
            return;
        }
        if (loop_.clock().now() - asked > options_.patience) {
            slow_ = true;  // look() asks again
            if (!std::exchange(told_lost_, true)) {
                events_.lost("it answers too slowly");
            }
        } else if (slow_) {
            slow_ = false;
            told_lost_ = false;
            events_.usable();
        }
    });
}

void Link::drop(std::string_view why) {
    connection_.reset();
    ++generation_;
    state_ = State::away;
    slow_ = false;
    ++failures_;
    retry_at_ = loop_.clock().now() + back_off();
    sent_.clear();
    waiting_.clear();
    auto calls = std::move(calls_);
    calls_.clear();
    for (auto& [id, call] : calls) {
        loop_.cancel_timer(call.timer);
        call.reply(away());
    }
    if (!std::exchange(told_lost_, true)) {
        events_.lost(why);
    }
}

/// Doubled with every failure; somewhere in the upper half, so that replicas do not come together.
Duration Link::back_off() {
    const Duration whole = std::min(
        options_.back_off_max,
        options_.back_off_min * (std::int64_t{1} << std::min(failures_ - 1, 20))
    );
    return std::chrono::duration_cast<Duration>(whole * (0.5 + rng_.uniform() / 2));
}

/// What has to be noticed without anybody doing anything.
void Link::look() {
    const TimePoint now = loop_.clock().now();
    switch (state_) {
        case State::away:
            if (now >= retry_at_) {
                connect();
            }
            break;
        case State::connecting:
        case State::greeting:
            if (now - begun_ > options_.connect_timeout) {
                drop("it does not answer");
            }
            break;
        case State::ready:
            if (kind_ == Kind::listener) {
                if (now - heard_ > kIdleMax + options_.silence_max) {
                    drop("it does not answer");
                } else if (now - heard_ > kIdleMax) {
                    static const std::string kPing = command_of({"PING"});
                    connection_->write(kPing);
                }
            } else if (!sent_.empty() && now - heard_ > options_.silence_max) {
                drop("it does not answer");
            } else if (sent_.empty() && (slow_ || now - heard_ > kIdleMax)) {
                probe();
            }
            break;
    }
    arm();
}

void Link::arm() {
    const bool is_quiet = state_ == State::ready && sent_.empty() && !slow_;
    timer_ = loop_.call_at(loop_.clock().now() + (is_quiet ? kLookRarely : kLookOften), [this] {
        look();
    });
}

}  // namespace lab::redis
