#include "base/text.h"
#include "platform/json/json.h"
#include "report/format.h"
#include "report/impl/json_writer.h"
#include "report/impl/markup.h"
#include "report/impl/page.h"
#include "science/stats/words.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace lab::report {
namespace {
/// Items per block of embedded data: the script parses the blocks it needs.
constexpr std::size_t kBlock = 100;
/// Longer texts are cut in the page (not in the other formats).
constexpr std::size_t kTextMax = 20'000;

// Bits of a sample's flags; report.js has the same.
constexpr int kNotRun = 1;
constexpr int kFailed = 2;
constexpr int kUnparsed = 4;
constexpr int kTruncated = 8;
constexpr int kCached = 16;

int flags_of(const ItemSample& sample) {
    if (!sample.present) {
        return kNotRun;
    }
    if (sample.failed) {
        return kFailed;
    }
    int out = sample.cached ? kCached : 0;
    out |= std::ranges::find(sample.parsed, false) != sample.parsed.end() ? kUnparsed : 0;
    out |= sample.finish_reason == "length" ? kTruncated : 0;
    return out;
}

/// Inside a script element nothing may look like markup: "<" becomes an escape, which is only ever
/// met inside strings.
void append_safely(std::string& out, std::string_view json) {
    for (const char c : json) {
        if (c == '<') {
            out += "\\u003c";
        } else {
            out += c;
        }
    }
}

std::string short_number(double value) {
    if (!std::isfinite(value)) {
        return "null";
    }
    double rounded = 0;
    const std::string text = fmt::format("{:.6g}", value);
    std::from_chars(text.data(), text.data() + text.size(), rounded);
    return format_double(rounded + 0.0);
}

/// Mean over the repetitions that have a score.
double mean_score(const std::vector<ItemSample>& samples, std::size_t metric) {
    double sum = 0;
    int n = 0;
    for (const ItemSample& sample : samples) {
        if (metric < sample.scores.size() && std::isfinite(sample.scores[metric])) {
            sum += sample.scores[metric];
            ++n;
        }
    }
    return n > 0 ? sum / n : std::nan("");
}

/// [id, flags of the first variant, its scores..., flags of the second ...]
void append_index(std::string& out, const Report& report, const ItemRow& row) {
    out += "[";
    append_json_string(out, row.id);
    for (std::size_t v = 0; v < report.variants.size(); ++v) {
        static const std::vector<ItemSample> kNone;
        const std::vector<ItemSample>& samples = v < row.samples.size() ? row.samples[v] : kNone;
        int flags = samples.empty() ? kNotRun : 0;
        for (const ItemSample& sample : samples) {
            flags |= flags_of(sample);
        }
        out += "," + std::to_string(flags);
        for (std::size_t m = 0; m < report.metrics.size(); ++m) {
            out += "," + short_number(mean_score(samples, m));
        }
    }
    out += "]";
}

/// [output or error, flags, extracted by scorer or 0, scores by metric or 0]
void append_sample(std::string& out, const ItemSample& sample, bool with_scores) {
    out += "[";
    append_json_string(out, shorten(sample.failed ? sample.error : sample.output, kTextMax));
    out += "," + std::to_string(flags_of(sample)) + ",";
    const bool extracted = std::ranges::any_of(sample.extracted, [&](const std::string& text) {
        return !text.empty() && text != sample.output;
    });
    if (extracted) {
        out += "[";
        for (std::size_t s = 0; s < sample.extracted.size(); ++s) {
            out += s > 0 ? "," : "";
            append_json_string(out, shorten(sample.extracted[s], kTextMax));
        }
        out += "]";
    } else {
        out += "0";
    }
    if (with_scores) {
        out += ",[";
        for (std::size_t m = 0; m < sample.scores.size(); ++m) {
            out += (m > 0 ? "," : "") + short_number(sample.scores[m]);
        }
        out += "]";
    }
    out += "]";
}

/// [input, reference, samples by variant]
void append_item(std::string& out, const ItemRow& row) {
    out += "[";
    append_json_string(out, shorten(row.input, kTextMax));
    out += ",";
    append_json_string(out, shorten(row.reference, kTextMax));
    out += ",[";
    for (std::size_t v = 0; v < row.samples.size(); ++v) {
        out += v > 0 ? ",[" : "[";
        for (std::size_t r = 0; r < row.samples[v].size(); ++r) {
            out += r > 0 ? "," : "";
            append_sample(out, row.samples[v][r], row.samples[v].size() > 1);
        }
        out += "]";
    }
    out += "]]";
}

void write_data(Out& out, std::string_view attributes, std::string_view json) {
    out << "<script type=\"application/json\" " << attributes << ">";
    append_safely(out.buffer(), json);
    out << "</script>\n";
}

void write_meta(Out& out, const Report& report) {
    Json meta;
    meta["variants"] = Json::array();
    for (const VariantSummary& variant : report.variants) {
        meta["variants"].push_back(variant.id);
    }
    meta["scorers"] = scorers_of(report);
    meta["block"] = kBlock;
    meta["metrics"] = Json::array();
    const std::vector<std::string> keys = metric_keys(report);
    for (std::size_t m = 0; m < report.metrics.size(); ++m) {
        const science::MetricInfo& info = report.metrics[m].info;
        const science::Wording wording = science::wording_for(info);
        Json metric;
        metric["name"] = keys[m];
        metric["binary"] = info.kind == science::MetricKind::binary;
        metric["higher"] = info.higher_is_better;
        metric["scale"] = wording.scale;
        metric["decimals"] = wording.decimals;
        meta["metrics"].push_back(std::move(metric));
    }
    write_data(out, "id=\"meta\"", dump_json(meta));
}

void write_controls(Out& out) {
    out << R"(<form class="controls" id="controls" role="search" aria-label="Filter the items" hidden>
<label>Show <select id="f-show"><option value="all">all items</option><option value="differ">items where variants disagree</option><option value="unparsed">unparsed outputs</option><option value="missing">missing outputs</option><option value="truncated">truncated outputs</option></select></label>
<label id="l-metric" hidden>By <select id="f-metric"></select></label>
<label><span id="t-right">Right in</span> <select id="f-right"></select></label>
<label><span id="t-wrong">Wrong in</span> <select id="f-wrong"></select></label>
<label>Sort <select id="f-sort"></select></label>
<label class="grow">Search <input id="f-text" type="search" placeholder="words in input, reference or output" autocomplete="off" spellcheck="false"></label>
<button type="button" id="f-reset">Reset</button>
</form>
<p id="count" class="dim" role="status" aria-live="polite"></p>
<div class="scroll items" tabindex="0" role="region" aria-label="Items"><table id="items-table"><thead></thead><tbody></tbody></table></div>
<div class="pager" id="pager" hidden><button type="button" id="p-first">First</button><button type="button" id="p-prev">Previous</button><span id="p-where"></span><button type="button" id="p-next">Next</button><button type="button" id="p-last">Last</button><button type="button" id="p-open">Open all on this page</button></div>
<noscript><p class="stop">The item table needs JavaScript. Everything above does not. The same data can be had with <code>--save FILE.items.csv</code> or <code>--save FILE.json</code>.</p></noscript>
)";
}

}  // namespace

Status write_items_section(
    Out& out, const Report& report, const ItemSource& items, const HtmlOptions& options
) {
    out << "<section id=\"items\">\n<h2>Items</h2>\n";
    if (items.count() > options.items_max) {
        out << "<p class=\"stop\">The first " << format_count(options.items_max) << " of "
            << format_count(items.count())
            << " items are in this page; all are in the JSON and CSV reports.</p>\n";
    }
    write_controls(out);
    write_meta(out, report);
    std::string index;
    std::string data;
    std::size_t in_block = 0;
    std::int64_t written = 0;
    const auto flush = [&] {
        if (in_block > 0) {
            write_data(out, "class=\"ix\"", index + "]");
            write_data(out, "class=\"dx\"", data + "]");
        }
        in_block = 0;
        index = "[";
        data = "[";
    };
    flush();
    bool enough = false;
    const Status read = items.each([&](const ItemRow& row) -> Status {
        if (written >= options.items_max) {
            enough = true;
            return Error(Code::cancelled, "the page has as many items as it may");
        }
        index += in_block > 0 ? "," : "";
        data += in_block > 0 ? "," : "";
        append_index(index, report, row);
        append_item(data, row);
        ++written;
        if (++in_block == kBlock) {
            flush();
        }
        return out.status();
    });
    if (!read && !enough) {
        return read;
    }
    flush();
    out << "</section>\n";
    return out.status();
}

}  // namespace lab::report
