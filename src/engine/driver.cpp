#include "engine/driver.h"

#include "base/text.h"
#include "platform/crypto/sha256.h"
#include "platform/telemetry/span.h"

#include <nlohmann/json.hpp>

namespace lab::engine {
namespace {

using providers::CallResult;
using providers::Outcome;

MachineConfig machine_config(const RunInput& input, const DriverDeps& deps) {
    const domain::RunSpec& run = input.spec->run;
    MachineConfig config;
    for (std::size_t i = 0; i < input.spec->models.size(); ++i) {
        const domain::ModelSpec& model = input.spec->models[i];
        LaneConfig lane;
        lane.name = model.id;
        lane.concurrency = model.limits.concurrency > 0 ? static_cast<int>(model.limits.concurrency)
                                                        : run.concurrency;
        lane.requests_per_minute = model.limits.requests_per_minute;
        lane.tokens_per_minute = model.limits.tokens_per_minute;
        lane.replay = input.providers[i]->is_replay();
        config.lanes.push_back(std::move(lane));
    }
    config.retry = run.retry;
    config.budget = run.budget;
    config.max_error_share = run.max_error_share;
    config.planned = input.plan->samples();
    config.seed = deps.jitter_seed;
    config.opening.cost = input.opening.settled + input.opening.uncertain_cost;
    config.opening.calls = input.opening.calls + input.opening.uncertain_calls;
    config.opening.tokens = input.opening.usage.total() + input.opening.uncertain_tokens;
    config.in_a_crew = deps.crew != nullptr;
    return config;
}

void keep_error(domain::SampleResult& result, const Error& error, int http_status) {
    result.state = domain::SampleState::failed;
    result.error_code = info(error.code).wire_name;
    result.error_message = error.message;
    result.http_status = http_status;
}

Span begin_sample_span(const domain::SampleResult& sample, const domain::Variant& variant) {
    Span span = child_span("sample", SpanKind::internal);
    if (span.recorded()) {
        span.set("llm_research.sample.index", sample.index);
        span.set("llm_research.sample.item_id", sample.item_id);
        span.set("llm_research.sample.repetition", sample.repetition);
        span.set("llm_research.variant", variant.id);
    }
    return span;
}

void tell_sample(Span& span, const domain::SampleResult& sample) {
    if (!span.recorded()) {
        return;
    }
    span.set("llm_research.sample.attempts", sample.attempts);
    span.set("llm_research.sample.cached", sample.cached);
    span.set("llm_research.sample.replayed", sample.replayed);
    if (sample.state == domain::SampleState::failed) {
        span.fail(sample.error_code);
    }
}

}  // namespace

/// A sample between prepare and store.
struct Driver::Call {
    domain::SampleResult result;
    Json row;
    std::vector<domain::Message> messages;
    std::size_t model = 0;
    providers::CallId id = 0;
    int shard = 0;
    bool in_flight = false;
    bool maybe_billed = false;  ///< the last attempt, though it gave no answer
    storage::Intent intent;
    Span span;  ///< from prepare until it is stored
};

struct Driver::Batch {
    std::vector<storage::Intent> intents;
    std::vector<storage::Attempt> attempts;
    std::vector<std::unique_ptr<Call>> finished;
    std::vector<domain::SampleResult> failures;  ///< among the finished, without their output
    std::vector<std::int64_t> withdrawn;
    std::int64_t calls_withdrawn = 0;  ///< that were sent for them, without an answer
    std::optional<storage::MemberBooks> books;
    bool empty() const {
        return intents.empty() && attempts.empty() && finished.empty() && withdrawn.empty();
    }
};

Driver::Driver(RunInput input, DriverDeps deps)
    : input_(std::move(input)),
      deps_(std::move(deps)),
      machine_(machine_config(input_, deps_), [this](int lane) { return next_sample(lane); }),
      blocks_(static_cast<std::size_t>(input_.plan->lanes())),
      lane_over_(blocks_.size()),
      pauses_told_(blocks_.size()),
      batch_(std::make_unique<Batch>()) {
    if (deps_.crew != nullptr) {
        return;  // which part of it is ours the others have a say in
    }
    for (int lane = 0; lane < input_.plan->lanes(); ++lane) {
        blocks_[static_cast<std::size_t>(lane)].push_back(
            {.shard = lane, .lane = lane, .next = 0, .end = input_.plan->lane_samples(lane)}
        );
    }
}

Driver::~Driver() { *alive_ = false; }

void Driver::start(std::function<void(RunEnd)> done) {
    done_ = std::move(done);
    machine_.start(deps_.loop->clock().now());
    turn();
}

void Driver::interrupt() {
    const TimePoint now = deps_.loop->clock().now();
    if (!interrupted_) {
        interrupted_ = true;
        machine_.stop(StopReason::interrupted, "interrupted", now);
    } else {
        machine_.stop_now(StopReason::interrupted, "interrupted", now);
    }
    turn();
}

std::vector<LaneStatus> Driver::lane_status() const {
    const TimePoint now = deps_.loop->clock().now();
    std::vector<LaneStatus> out;
    for (std::size_t lane = 0; lane < machine_.lanes(); ++lane) {
        out.push_back(machine_.lane_status(lane, now));
    }
    return out;
}

std::optional<std::int64_t> Driver::next_sample(int lane) {
    std::deque<Block>& blocks = blocks_[static_cast<std::size_t>(lane)];
    while (!blocks.empty()) {
        Block& block = blocks.front();
        Part& part = parts_[block.shard];
        while (block.next < block.end) {
            const std::int64_t index = input_.plan->at(lane, block.next++).index;
            if (input_.finished.empty() || !input_.finished[static_cast<std::size_t>(index)]) {
                ++part.open;
                shard_of_.emplace(index, block.shard);
                return index;
            }
        }
        const int shard = block.shard;
        blocks.pop_front();
        part.all_taken = true;
        ++part.open;  // so that the end of a block has one place
        on_sample_over(shard, true);
    }
    return std::nullopt;
}

void Driver::on_sample_over(int shard, bool is_stored) {
    Part& part = parts_.at(shard);
    --part.open;
    part.left_out = part.left_out || !is_stored;
    if (part.all_taken && part.open == 0) {
        if (!part.left_out) {
            finished_blocks_.push_back(shard);
        }
        parts_.erase(shard);
    }
}

/// Carries out commands until there are none. Providers may answer while they are asked, so this
/// can be entered from inside itself: then the outer call goes on with what is new.
void Driver::turn() {
    if (turning_ || ended_) {
        return;
    }
    turning_ = true;
    while (machine_.has_commands() && !ended_) {
        for (const Command& command : machine_.take_commands()) {
            carry_out(command);
        }
    }
    turning_ = false;
    flush();
    ask_crew();
    if (machine_.finished() && all_on_disk()) {
        finish();
        return;
    }
    const std::optional<TimePoint> wake = machine_.wake_at();
    if (timer_ && (!wake || *wake != timer_at_)) {
        deps_.loop->cancel_timer(*timer_);
        timer_.reset();
    }
    if (wake && !timer_) {
        timer_at_ = *wake;
        timer_ = deps_.loop->call_at(*wake, [this, alive = alive_] {
            if (*alive) {
                timer_.reset();
                machine_.on_wake(deps_.loop->clock().now());
                turn();
            }
        });
    }
}

void Driver::carry_out(const Command& command) {
    switch (command.kind) {
        case CommandKind::prepare:
            prepare(command);
            break;
        case CommandKind::commit:
            batch_->intents.push_back(calls_.at(command.sample)->intent);
            break;
        case CommandKind::send:
            send(command.sample);
            break;
        case CommandKind::store:
            store(command.sample);
            break;
        case CommandKind::book: {
            const Call& call = *calls_.at(command.sample);
            storage::Attempt attempt{.sample = command.sample, .attempts = call.result.attempts};
            if (call.maybe_billed) {
                attempt.doubt = call.intent;
            }
            batch_->attempts.push_back(std::move(attempt));
            break;
        }
        case CommandKind::withdraw:
            batch_->calls_withdrawn += calls_.at(command.sample)->result.attempts;
            batch_->withdrawn.push_back(command.sample);
            on_sample_over(calls_.at(command.sample)->shard, false);
            calls_.erase(command.sample);
            break;
        case CommandKind::cancel:
            if (const auto found = calls_.find(command.sample);
                found != calls_.end() && found->second->in_flight) {
                Call& call = *found->second;
                input_.providers[call.model]->cancel(call.id);
            }
            break;
    }
}

void Driver::prepare(const Command& command) {
    const SampleRef ref = input_.plan->ref(command.sample);
    const domain::Variant& variant = input_.spec->variants[static_cast<std::size_t>(ref.variant)];
    auto owned = std::make_unique<Call>();
    Call& call = *owned;
    const auto shard = shard_of_.find(command.sample);
    call.shard = shard->second;
    shard_of_.erase(shard);
    call.model = variant.model;
    call.row = input_.items->load(ref.item);
    domain::SampleResult& result = call.result;
    result.index = ref.index;
    result.variant = ref.variant;
    result.item = ref.item;
    result.repetition = ref.repetition;
    result.item_id = input_.items->id_of(ref.item, call.row);
    call.span = begin_sample_span(result, variant);
    const SpanScope scope(call.span);
    const TimePoint now = deps_.loop->clock().now();
    calls_[command.sample] = std::move(owned);

    auto messages = input_.renderer->render(variant.prompt, call.row, ref.item);
    if (!messages) {
        keep_error(result, messages.error(), 0);
        result.cost = Money();  // it is never sent
        machine_.on_prepared(command.sample, {.kind = PreparedKind::broken}, now);
        return;
    }
    call.messages = std::move(*messages);
    Prepared prepared;
    providers::Provider& provider = *input_.providers[call.model];
    if (!provider.is_replay()) {
        if (deps_.cache_reader != nullptr) {
            result.cache_key = cache_key(call);
            if (answer_from_cache(call)) {
                machine_.on_prepared(command.sample, {.kind = PreparedKind::answered}, now);
                return;
            }
            if (input_.spec->run.cache == domain::CacheMode::read_only) {
                result.cache_key.clear();  // nobody is to find this answer
            }
        }
        providers::CallRequest probe;
        probe.parameters = &variant.parameters;
        probe.messages = std::move(call.messages);
        const domain::Usage worst = provider.worst_case(probe);
        call.messages = std::move(probe.messages);
        const auto& pricing = input_.pricing[call.model];
        prepared.cost = pricing ? domain::cost_of(worst, *pricing) : std::nullopt;
        prepared.tokens = worst.total();
        call.intent = {.sample = ref.index, .cost = prepared.cost, .tokens = prepared.tokens};
    }
    machine_.on_prepared(command.sample, prepared, now);
}

std::string Driver::cache_key(const Call& call) const {
    const domain::Variant& variant =
        input_.spec->variants[static_cast<std::size_t>(call.result.variant)];
    const domain::ModelSpec& model = input_.spec->models[call.model];
    Json key = Json::object();
    key["endpoint"] = input_.providers[call.model]->endpoint();
    key["provider"] = model.provider;
    key["api"] = model.api;
    key["model"] = model.model;
    key["parameters"] = variant.parameters;
    Json& headers = key["headers"] = Json::array();
    for (const auto& [name, value] : model.headers) {
        headers.push_back(Json::array({name, value}));
    }
    key["repetition"] = call.result.repetition;
    key["seed"] = input_.spec->run.seed;
    Json& messages = key["messages"] = Json::array();
    for (const domain::Message& message : call.messages) {
        messages.push_back(Json::array({message.role, message.content}));
    }
    return sha256(canonical_json(key));
}

bool Driver::answer_from_cache(Call& call) {
    auto found = deps_.cache_reader->find_cached(deps_.ctx, call.result.cache_key);
    if (!found) {
        return false;  // a cache that cannot be read is a miss
    }
    const std::optional<domain::SampleResult>& stored = *found;
    if (!stored) {
        return false;
    }
    const domain::SampleResult& hit = *stored;
    domain::SampleResult& result = call.result;
    result.output = hit.output;
    result.finish_reason = hit.finish_reason;
    result.usage = hit.usage;
    result.logprobs = hit.logprobs;
    result.latency = hit.latency;
    result.time_to_first_token = hit.time_to_first_token;
    result.cost = Money();
    result.cached = true;
    return true;
}

void Driver::send(std::int64_t sample) {
    Call& call = *calls_.at(sample);
    const domain::Variant& variant =
        input_.spec->variants[static_cast<std::size_t>(call.result.variant)];
    const domain::ModelSpec& model = input_.spec->models[call.model];
    providers::CallRequest request;
    request.model = model.model;
    request.messages = call.messages;
    request.parameters = &variant.parameters;
    request.stream = model.stream;
    request.item_id = call.result.item_id;
    request.timeout = std::chrono::duration_cast<Duration>(input_.spec->run.timeout);
    ++call.result.attempts;
    call.in_flight = true;
    const SpanScope scope(call.span);
    const providers::CallId id = input_.providers[call.model]->start(
        std::move(request),
        [this, alive = alive_, sample](CallResult result) {
            if (*alive) {
                on_call_done(sample, std::move(result));
            }
        }
    );
    if (const auto found = calls_.find(sample); found != calls_.end()) {
        found->second->id = id;
    }
}

void Driver::on_call_done(std::int64_t sample, CallResult result) {
    if (error_ || ended_) {
        return;
    }
    Call& call = *calls_.at(sample);
    call.in_flight = false;
    call.maybe_billed = result.maybe_billed;
    domain::SampleResult& out = call.result;
    out.replayed = result.replayed;
    CallReport report{.result = &result, .cost = std::nullopt, .tokens = 0};
    if (result.outcome == Outcome::ok) {
        out.state = domain::SampleState::done;
        out.error_code.clear();
        out.error_message.clear();
        out.http_status = result.http_status;
        out.output = std::move(result.output);
        out.finish_reason = std::move(result.finish_reason);
        out.usage = result.usage;
        out.logprobs = std::move(result.logprobs);
        out.latency = result.latency;
        out.time_to_first_token = result.time_to_first_token;
        const auto& pricing = input_.pricing[call.model];
        out.cost = result.replayed ? std::optional(Money())
                   : pricing       ? domain::cost_of(out.usage, *pricing)
                                   : std::nullopt;
        report.cost = out.cost;
        report.tokens = out.usage.total();
    } else {
        keep_error(out, result.error, result.http_status);
        out.cost = Money();
    }
    const bool gone = result.outcome == Outcome::cancelled;
    machine_.on_call_done(sample, report, deps_.loop->clock().now());
    if (gone) {
        on_sample_over(calls_.at(sample)->shard, false);
        calls_.erase(sample);
    }
    turn();
}

void Driver::store(std::int64_t sample) {
    const auto found = calls_.find(sample);
    LAB_ASSERT(found != calls_.end(), "a finished sample is known");
    found->second->messages.clear();
    batch_->finished.push_back(std::move(found->second));
    calls_.erase(found);
}

void Driver::flush() {
    if (writing_ || batch_->empty() || ended_) {
        return;
    }
    writing_ = true;
    std::shared_ptr<Batch> batch = std::move(batch_);
    batch_ = std::make_unique<Batch>();
    if (deps_.crew != nullptr) {
        // Everything decided until now is in this batch or on the disk.
        const Exposure all = machine_.exposure();
        batch->books = storage::MemberBooks{
            .spent = {.cost = all.spent.cost, .tokens = all.spent.tokens, .calls = all.spent.calls},
            .done = all.done,
            .failed = all.failed,
        };
    }
    deps_.worker->submit([this, alive = alive_, loop = deps_.loop, batch, place = current_place()](
                         ) mutable {
        const SpanScope scope(std::move(place));
        Status status = write(*batch);
        loop->post([this, alive, batch = std::move(batch), status = std::move(status)] {
            if (*alive) {
                on_written(status, *batch);
            }
        });
    });
}

/// On the worker: scores what is finished and commits the batch.
Status Driver::write(Batch& batch) {
    std::vector<domain::SampleResult> results;
    results.reserve(batch.finished.size());
    for (const std::unique_ptr<Call>& call : batch.finished) {
        if (call->result.state == domain::SampleState::done) {
            const SpanScope scope(call->span);
            LAB_TRY(call->result.scores, input_.scores->score(call->result.output, call->row));
        } else if (deps_.failed) {
            batch.failures.push_back(call->result);
        }
        tell_sample(call->span, call->result);
        results.push_back(std::move(call->result));
    }
    Span span = child_span("store", SpanKind::internal);
    span.set("llm_research.samples", results.size());
    const SpanScope scope(span);
    return deps_.journal->record(
        deps_.ctx,
        input_.run,
        {.intents = batch.intents,
         .results = results,
         .attempts = batch.attempts,
         .withdrawn = batch.withdrawn,
         .calls_withdrawn = batch.calls_withdrawn,
         .books = batch.books}
    );
}

void Driver::on_written(const Status& status, const Batch& batch) {
    writing_ = false;
    if (ended_) {
        tell_end();
        return;
    }
    if (!status) {
        fail(status.error());
        return;
    }
    written_.anything = true;
    for (const storage::Intent& intent : batch.intents) {
        written_.intents.push_back(intent.sample);
    }
    for (const storage::Attempt& attempt : batch.attempts) {
        written_.booked.push_back(attempt.sample);
    }
    std::vector<Stored> stored;
    stored.reserve(batch.finished.size());
    for (const std::unique_ptr<Call>& call : batch.finished) {
        call->span.end();
        stored.push_back(
            {.lane = static_cast<int>(call->model), .was_sent = call->result.attempts > 0}
        );
        on_sample_over(call->shard, true);
    }
    for (const domain::SampleResult& failure : batch.failures) {
        deps_.failed(failure);
    }
    sync();
    machine_.on_stored(stored, deps_.loop->clock().now());
    turn();
}

/// One wait at a time covers all that was written before it began.
void Driver::sync() {
    if (syncing_ || !written_.anything || ended_) {
        return;
    }
    syncing_ = true;
    deps_.disk->submit([this,
                        alive = alive_,
                        loop = deps_.loop,
                        written = std::exchange(written_, {}),
                        place = current_place()]() mutable {
        const SpanScope scope(std::move(place));
        Status status = deps_.disk_journal->sync(deps_.ctx);
        loop->post([this, alive, written = std::move(written), status = std::move(status)] {
            if (*alive) {
                on_synced(status, written);
            }
        });
    });
}

void Driver::on_synced(const Status& status, const Written& written) {
    syncing_ = false;
    if (ended_) {
        tell_end();
        return;
    }
    if (!status) {
        fail(status.error());
        return;
    }
    const TimePoint now = deps_.loop->clock().now();
    sync();
    machine_.on_intents_committed(written.intents, now);
    machine_.on_booked(written.booked, now);
    turn();
}

bool Driver::all_on_disk() const {
    return !writing_ && !syncing_ && batch_->empty() && !written_.anything;
}

/// The store does not take results any more: nothing further may be paid for.
void Driver::fail(Error error) {
    error_ = std::move(error);
    std::vector<std::pair<providers::Provider*, providers::CallId>> flying;
    for (const auto& [sample, call] : calls_) {
        if (call->in_flight) {
            flying.emplace_back(input_.providers[call->model], call->id);
        }
    }
    for (const auto& [provider, id] : flying) {
        provider->cancel(id);
    }
    finish();
}

void Driver::finish() {
    if (ended_) {
        return;
    }
    ended_ = true;
    for (std::optional<Executor::TimerId>* timer : {&timer_, &ask_timer_}) {
        if (*timer) {
            deps_.loop->cancel_timer(**timer);
            timer->reset();
        }
    }
    tell_end();
}

/// Not before the workers have come back: what they use goes with whoever hears of the end.
void Driver::tell_end() {
    if (writing_ || syncing_ || asking_) {
        return;
    }
    RunEnd end;
    end.reason = error_ ? StopReason::internal_error : machine_.stop_reason();
    end.words = error_ ? error_->message : machine_.stop_words();
    end.counters = machine_.counters();
    end.error = error_;
    done_(std::move(end));
}

}  // namespace lab::engine
