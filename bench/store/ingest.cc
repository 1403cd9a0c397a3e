// Rows a second into the samples of a PostgreSQL database: by Journal::commit, as the engine writes
// them, and by libpq's COPY in text form, as one writes them who wants nothing but speed. Both take
// the same rows in batches of the same size, a transaction each.
//
// ingest URL ROWS BATCH prints {"journal": rows/s, "paid": rows/s, "copy": rows/s}; `paid` are rows
// whose intents are written before them and settled with them. The database must be migrated.
#include "storage/store/journal.h"
#include "storage/store/postgres.h"
#include "storage/store/runs.h"

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

using namespace lab;

[[noreturn]] void fail(const std::string& why) {
    std::fprintf(stderr, "ingest: %s\n", why.c_str());
    std::exit(1);
}

template <class T>
T need(Result<T> result) {
    if (!result) {
        fail(result.error().message + ": " + result.error().cause);
    }
    return *std::move(result);
}

void need(const Status& status) {
    if (!status) {
        fail(status.error().message + ": " + status.error().cause);
    }
}

/// An answered, scored call of 200 bytes.
domain::SampleResult sample(std::int64_t index) {
    domain::SampleResult out;
    out.index = index;
    out.item = index;
    out.item_id = "row-" + std::to_string(index);
    out.output = std::string(200, static_cast<char>('a' + index % 26));
    out.finish_reason = "stop";
    out.http_status = 200;
    out.usage = {.input = 120, .output = 40};
    out.cost = Money::from_pico(42'000'000);
    out.attempts = 1;
    out.latency = std::chrono::milliseconds(800);
    out.cache_key = std::string(24, 'k') + std::to_string(10'000'000 + index);
    out.scores = R"({"exact_match":1})";
    return out;
}

std::vector<domain::SampleResult> samples(std::int64_t begin, std::int64_t end) {
    std::vector<domain::SampleResult> out;
    for (std::int64_t i = begin; i < end; ++i) {
        out.push_back(sample(i));
    }
    return out;
}

struct Bench {
    std::string url;
    std::int64_t rows;
    std::int64_t batch;
    SystemClock clock;
    Ctx ctx{clock};
    std::unique_ptr<storage::Session> session;

    std::int64_t run(const std::string& name) {
        domain::Run run;
        run.id = name;
        run.experiment_id = "e-" + name;
        run.experiment_name = name;
        run.state = domain::RunState::running;
        run.spec = run.manifest = "{}";
        run.dataset_hash = "x";
        run.created_at = "2026-01-02T03:04:05.000000Z";
        run.planned = rows;
        return need(storage::Runs(*session).create(ctx, run)).key;
    }

    /// Rows a second; making the rows is not counted.
    template <class Write>
    double measure(const Write& write) {
        Duration spent{0};
        for (std::int64_t begin = 0; begin < rows; begin += batch) {
            const auto made = samples(begin, std::min(rows, begin + batch));
            const TimePoint from = clock.now();
            write(made);
            spent += clock.now() - from;
        }
        return static_cast<double>(rows) / std::chrono::duration<double>(spent).count();
    }

    double journal(bool paid) {
        const std::int64_t key = run(paid ? "paid" : "journal");
        storage::Journal journal(*session);
        const double rate = measure([&](const std::vector<domain::SampleResult>& made) {
            if (paid) {
                std::vector<storage::Intent> intents;
                for (const domain::SampleResult& one : made) {
                    intents.push_back({.sample = one.index, .cost = one.cost, .tokens = 500});
                }
                need(journal.commit(ctx, key, intents, {}));
            }
            need(journal.commit(ctx, key, {}, made));
        });
        const storage::Ledger books = need(journal.ledger(ctx, key));
        if (books.done != rows || books.settled.pico() != rows * 42'000'000) {
            fail("the journal lacks rows");
        }
        return rate;
    }

    double copy() {
        const std::int64_t key = run("copy");
        PGconn* const raw = PQconnectdb(url.c_str());
        const auto command = [&](const char* sql, ExecStatusType wanted) {
            PGresult* const result = PQexec(raw, sql);
            if (PQresultStatus(result) != wanted) {
                fail(PQerrorMessage(raw));
            }
            PQclear(result);
        };
        const double rate = measure([&](const std::vector<domain::SampleResult>& made) {
            command("BEGIN", PGRES_COMMAND_OK);
            command(
                "COPY samples (run, sample, state, variant, item, repetition, cached, replayed, "
                "attempts, http_status, cost_pico, input_tokens, cache_read_tokens, "
                "cache_write_tokens, output_tokens, reasoning_tokens, usage_estimated, latency_ns, "
                "cache_key, item_id, finish_reason, scores, output) FROM STDIN",
                PGRES_COPY_IN
            );
            std::string text;
            for (const domain::SampleResult& one : made) {
                text += std::to_string(key) + '\t' + std::to_string(one.index) + "\t1\t0\t" +
                        std::to_string(one.item) + "\t0\t0\t0\t1\t200\t" +
                        std::to_string(one.cost->pico()) + "\t120\t0\t0\t40\t0\t0\t800000000\t" +
                        one.cache_key + '\t' + one.item_id + "\tstop\t" + one.scores + '\t' +
                        one.output + '\n';
            }
            if (PQputCopyData(raw, text.data(), static_cast<int>(text.size())) != 1 ||
                PQputCopyEnd(raw, nullptr) != 1) {
                fail(PQerrorMessage(raw));
            }
            PGresult* const done = PQgetResult(raw);
            if (PQresultStatus(done) != PGRES_COMMAND_OK) {
                fail(PQerrorMessage(raw));
            }
            PQclear(done);
            while (PGresult* const rest = PQgetResult(raw)) {
                PQclear(rest);
            }
            command("COMMIT", PGRES_COMMAND_OK);
        });
        PQfinish(raw);
        return rate;
    }
};

std::int64_t number(const char* text) {
    std::int64_t out = 0;
    const std::string_view all = text;
    if (std::from_chars(all.data(), all.data() + all.size(), out).ec != std::errc() || out < 1) {
        fail("ingest URL ROWS BATCH");
    }
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        fail("ingest URL ROWS BATCH");
    }
    Bench bench{.url = argv[1], .rows = number(argv[2]), .batch = number(argv[3])};
    const auto database = need(storage::open_postgres({.url = bench.url}));
    need(database->migrate(bench.ctx));
    bench.session = need(database->open_session(bench.ctx, storage::Durability::on_sync));
    const double journal = bench.journal(false);
    const double copy = bench.copy();
    const double paid = bench.journal(true);
    std::printf(R"({"journal": %.0f, "paid": %.0f, "copy": %.0f})" "\n", journal, paid, copy);
}
