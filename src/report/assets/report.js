"use strict";
(() => {
    const byId = (id) => document.getElementById(id);
    const metaNode = byId("meta");
    if (!metaNode) {
        return;
    }
    // Bits of a sample's flags, as html_items.cpp writes them.
    const NOT_RUN = 1, FAILED = 2, UNPARSED = 4, TRUNCATED = 8, CACHED = 16;
    const PAGE = 50;
    const meta = JSON.parse(metaNode.textContent);
    const V = meta.variants.length, M = meta.metrics.length;
    const STRIDE = 1 + M;
    const blocks = [...document.querySelectorAll("script.dx")];
    const index = [];
    for (const node of document.querySelectorAll("script.ix")) {
        for (const row of JSON.parse(node.textContent)) {
            index.push(row);
        }
        node.remove();
    }

    // --- Data ------------------------------------------------------------------------------------
    const parsed = new Map();
    const item = (i) => {
        const block = Math.floor(i / meta.block);
        let rows = parsed.get(block);
        if (!rows) {
            rows = JSON.parse(blocks[block].textContent);
            if (parsed.size > 8) {
                parsed.delete(parsed.keys().next().value);
            }
            parsed.set(block, rows);
        }
        return rows[i % meta.block];
    };
    const flagsOf = (i, v) => index[i][1 + v * STRIDE];
    const scoreOf = (i, v, m) => index[i][2 + v * STRIDE + m];

    let haystack = null;
    const searchable = () => {
        if (!haystack) {
            haystack = [];
            blocks.forEach((node) => {
                for (const [input, reference, samples] of JSON.parse(node.textContent)) {
                    const parts = [input, reference];
                    samples.forEach((of) => of.forEach((sample) => parts.push(sample[0])));
                    haystack.push(parts.join("\n").toLowerCase());
                }
            });
            index.forEach((row, i) => { haystack[i] += "\n" + row[0].toLowerCase(); });
        }
        return haystack;
    };

    // --- Filter and order ------------------------------------------------------------------------
    const state = { show: "all", metric: 0, right: -1, wrong: -1, sort: "order", text: "", page: 0 };
    let found = [];

    const scores = (i) => {
        const out = [];
        for (let v = 0; v < V; ++v) {
            const s = scoreOf(i, v, state.metric);
            if (s !== null) {
                out.push(s);
            }
        }
        return out;
    };
    const spread = (i) => {
        const all = scores(i);
        return all.length < 2 ? -1 : Math.max(...all) - Math.min(...all);
    };
    const anyFlag = (i, bits) => {
        for (let v = 0; v < V; ++v) {
            if (flagsOf(i, v) & bits) {
                return true;
            }
        }
        return false;
    };
    // Binary: always right (over repetitions). Else: nobody does better.
    const isRight = (i, v) => {
        const s = scoreOf(i, v, state.metric), metric = meta.metrics[state.metric];
        if (s === null) {
            return false;
        }
        if (metric.binary) {
            return s === (metric.higher ? 1 : 0);
        }
        const all = scores(i);
        return s === (metric.higher ? Math.max(...all) : Math.min(...all)) && spread(i) > 0;
    };
    const isWrong = (i, v) => {
        const s = scoreOf(i, v, state.metric), metric = meta.metrics[state.metric];
        if (s === null) {
            return false;
        }
        if (metric.binary) {
            return s !== (metric.higher ? 1 : 0);
        }
        const all = scores(i);
        return s === (metric.higher ? Math.min(...all) : Math.max(...all)) && spread(i) > 0;
    };
    const passes = (i) => {
        switch (state.show) {
            case "differ": if (!(spread(i) > 1e-9)) { return false; } break;
            case "unparsed": if (!anyFlag(i, UNPARSED)) { return false; } break;
            case "missing": if (!anyFlag(i, NOT_RUN | FAILED)) { return false; } break;
            case "truncated": if (!anyFlag(i, TRUNCATED)) { return false; } break;
        }
        return (state.right < 0 || isRight(i, state.right)) && (state.wrong < 0 || isWrong(i, state.wrong));
    };
    const sortKey = () => {
        if (state.sort === "spread") {
            return (i) => -spread(i);
        }
        if (state.sort === "low" || state.sort === "high") {
            const sign = state.sort === "low" ? 1 : -1;
            return (i) => {
                const all = scores(i);
                return all.length ? sign * all.reduce((a, b) => a + b, 0) / all.length : Infinity;
            };
        }
        return null;
    };
    const select = () => {
        const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
        const texts = words.length ? searchable() : null;
        found = [];
        for (let i = 0; i < index.length; ++i) {
            if (passes(i) && words.every((word) => texts[i].includes(word))) {
                found.push(i);
            }
        }
        if (state.sort === "id") {
            const collator = new Intl.Collator("en", { numeric: true });
            found.sort((a, b) => collator.compare(index[a][0], index[b][0]) || a - b);
        } else if (sortKey()) {
            const key = sortKey(), keys = new Map(found.map((i) => [i, key(i)]));
            found.sort((a, b) => keys.get(a) - keys.get(b) || a - b);
        }
        state.page = 0;
        draw();
    };

    // --- Drawing: text is only ever set as text ------------------------------------------------------
    const make = (tag, css, text) => {
        const node = document.createElement(tag);
        if (css) {
            node.className = css;
        }
        if (text !== undefined) {
            node.textContent = text;
        }
        return node;
    };
    const marked = (node, text) => {
        const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
        const lower = text.toLowerCase();
        if (!words.length || lower.length !== text.length) {
            node.append(text);
            return node;
        }
        let at = 0;
        while (at < text.length) {
            let next = -1, length = 0;
            for (const word of words) {
                const where = lower.indexOf(word, at);
                if (where >= 0 && (next < 0 || where < next)) {
                    next = where;
                    length = word.length;
                }
            }
            if (next < 0) {
                break;
            }
            node.append(text.slice(at, next), make("mark", "", text.slice(next, next + length)));
            at = next + length;
        }
        node.append(text.slice(at));
        return node;
    };
    // A name that may be broken after its separators.
    const named = (node, name) => {
        name.split(/(?<=[\/_\-.:])/).forEach((part, k) => node.append(...(k ? [make("wbr")] : []), part));
        return node;
    };
    const figure = (score, m) => {
        const metric = meta.metrics[m];
        if (score === null || score === undefined) {
            return make("span", "sc na", "n/a");
        }
        if (metric.binary && (score === 0 || score === 1)) {
            const right = (score === 1) === metric.higher;
            return make("span", "sc " + (right ? "right" : "wrong"), right ? "✓ right" : "✗ wrong");
        }
        const text = (score * metric.scale).toFixed(metric.decimals) + (metric.binary ? " % right" : "");
        return make("span", "sc", text);
    };
    const flagWords = (flags) => {
        const out = [];
        if (flags & NOT_RUN) { out.push(["not run", true]); }
        if (flags & FAILED) { out.push(["failed", true]); }
        if (flags & UNPARSED) { out.push(["unparsed", true]); }
        if (flags & TRUNCATED) { out.push(["truncated", true]); }
        if (flags & CACHED) { out.push(["cached", false]); }
        return out;
    };
    const addFlags = (node, flags) => {
        for (const [word, alert] of flagWords(flags)) {
            node.append(make("span", alert ? "flag alert" : "flag", word));
        }
    };
    const inputFields = (input) => {
        try {
            const value = JSON.parse(input);
            if (value && typeof value === "object" && !Array.isArray(value)) {
                return Object.entries(value).map(([k, x]) => [k, typeof x === "string" ? x : JSON.stringify(x)]);
            }
        } catch (error) {
            // Not JSON (cut, perhaps): shown as it is.
        }
        return [["input", input]];
    };
    const longest = (fields) => fields.reduce((a, b) => (b[1].length > a.length ? b[1] : a), "");

    const fullRow = (i) => {
        const [input, reference, samples] = item(i);
        const tr = make("tr", "full"), td = make("td");
        td.colSpan = 2 + V;
        const list = make("dl", "fields");
        for (const [name, text] of [...inputFields(input), ["reference", reference]]) {
            if (text !== "") {
                list.append(make("dt", "", name), marked(make("dd"), text));
            }
        }
        const side = make("div", "side");
        samples.forEach((repetitions, v) => {
            repetitions.forEach((sample, r) => {
                const [text, flags, extracted, own] = sample;
                const box = make("div", "out");
                box.append(named(make("h5"), meta.variants[v] + (repetitions.length > 1 ? " · " + (r + 1) : "")));
                const line = make("div", "meta");
                addFlags(line, flags);
                if (!(flags & (NOT_RUN | FAILED))) {
                    meta.metrics.forEach((metric, m) => {
                        if (M > 1) {
                            line.append(metric.name + " ");
                        }
                        line.append(figure(own ? own[m] : scoreOf(i, v, m), m), " ");
                    });
                }
                if (extracted) {
                    extracted.forEach((found, s) => {
                        if (found !== "") {
                            line.append(make("div", "", (extracted.length > 1 ? meta.scorers[s] + " read: " : "read: ") + found));
                        }
                    });
                }
                box.append(line, marked(make("div", "body"), text));
                side.append(box);
            });
        });
        const wrap = make("div", "wrap");
        wrap.append(list, side);
        td.append(wrap);
        tr.append(td);
        return tr;
    };
    const toggle = (button, i, open) => {
        const row = button.closest("tr");
        const is = button.getAttribute("aria-expanded") === "true";
        if (is === open) {
            return;
        }
        button.setAttribute("aria-expanded", String(open));
        if (open) {
            row.after(fullRow(i));
        } else {
            row.nextElementSibling.remove();
        }
    };
    const itemRow = (i) => {
        const [input, reference, samples] = item(i);
        const tr = make("tr"), key = make("td", "key");
        const button = make("button", "row-id", index[i][0]);
        button.type = "button";
        button.setAttribute("aria-expanded", "false");
        button.addEventListener("click", () => toggle(button, i, button.getAttribute("aria-expanded") !== "true"));
        key.append(button, marked(make("div", "clamp"), longest(inputFields(input)).slice(0, 400)));
        const ref = make("td");
        ref.dataset.label = "Reference";
        ref.append(marked(make("div", "clamp"), reference.slice(0, 400)));
        tr.append(key, ref);
        for (let v = 0; v < V; ++v) {
            const td = make("td"), sample = (samples[v] || [])[0], flags = flagsOf(i, v);
            td.dataset.label = meta.variants[v];
            if (!(flags & (NOT_RUN | FAILED)) || scoreOf(i, v, state.metric) !== null) {
                td.append(figure(scoreOf(i, v, state.metric), state.metric));
            }
            addFlags(td, flags & ~CACHED);
            if (sample) {
                const read = sample[2] ? sample[2].find((text) => text !== "") : undefined;
                td.append(marked(make("div", read === undefined ? "clamp" : "clamp ans"), (read === undefined ? sample[0] : read).slice(0, 400)));
            }
            tr.append(td);
        }
        return tr;
    };
    const plain = new Intl.NumberFormat("en-US");
    const draw = () => {
        const pages = Math.max(1, Math.ceil(found.length / PAGE));
        const begin = state.page * PAGE, shown = found.slice(begin, begin + PAGE);
        const body = document.querySelector("#items-table tbody");
        body.replaceChildren(...shown.map(itemRow));
        byId("count").textContent = found.length === index.length
            ? plain.format(index.length) + " items"
            : plain.format(found.length) + " of " + plain.format(index.length) + " items";
        byId("p-where").textContent = found.length === 0 ? "nothing found"
            : plain.format(begin + 1) + "–" + plain.format(begin + shown.length) + " of " + plain.format(found.length);
        byId("p-first").disabled = byId("p-prev").disabled = state.page === 0;
        byId("p-next").disabled = byId("p-last").disabled = state.page >= pages - 1;
        byId("p-open").textContent = "Open all on this page";
    };
    const go = (page) => {
        state.page = Math.min(Math.max(0, page), Math.max(0, Math.ceil(found.length / PAGE) - 1));
        draw();
        byId("items-table").closest(".scroll").scrollIntoView({ block: "start" });
    };

    // --- Controls --------------------------------------------------------------------------------
    const options = (node, list) => {
        node.replaceChildren(...list.map(([value, text]) => {
            const option = make("option", "", text);
            option.value = value;
            return option;
        }));
    };
    const words = () => {
        const binary = meta.metrics[state.metric].binary;
        byId("t-right").textContent = binary ? "Right in" : "Best in";
        byId("t-wrong").textContent = binary ? "Wrong in" : "Worst in";
    };
    const restore = () => {
        byId("f-show").value = state.show;
        byId("f-metric").value = String(state.metric);
        byId("f-right").value = String(state.right);
        byId("f-wrong").value = String(state.wrong);
        byId("f-sort").value = state.sort;
        byId("f-text").value = state.text;
        words();
    };
    const header = document.createElement("tr");
    const head = (text, css) => {
        const th = named(make("th", css), text);
        th.scope = "col";
        header.append(th);
    };
    head("Item", "");
    head("Reference", "refcol");
    meta.variants.forEach((name) => head(name, ""));
    document.querySelector("#items-table thead").append(header);
    if (V > 5) {
        document.querySelector(".items").classList.add("many");
    }
    const variants = [["-1", "any"], ...meta.variants.map((name, v) => [String(v), name])];
    options(byId("f-right"), variants);
    options(byId("f-wrong"), variants);
    options(byId("f-metric"), meta.metrics.map((metric, m) => [String(m), metric.name]));
    options(byId("f-sort"), [["order", "as planned"], ["id", "by id"], ["spread", "largest disagreement"], ["low", "lowest score"], ["high", "highest score"]]);
    byId("l-metric").hidden = M < 2;
    byId("controls").hidden = false;
    byId("pager").hidden = false;
    byId("controls").addEventListener("submit", (event) => event.preventDefault());
    const listen = (id, set) => byId(id).addEventListener("change", (event) => {
        set(event.target.value);
        words();
        select();
    });
    listen("f-show", (value) => { state.show = value; });
    listen("f-metric", (value) => { state.metric = Number(value); });
    listen("f-right", (value) => { state.right = Number(value); });
    listen("f-wrong", (value) => { state.wrong = Number(value); });
    listen("f-sort", (value) => { state.sort = value; });
    let timer = 0;
    byId("f-text").addEventListener("input", (event) => {
        clearTimeout(timer);
        timer = setTimeout(() => {
            state.text = event.target.value;
            select();
        }, 200);
    });
    byId("f-reset").addEventListener("click", () => {
        Object.assign(state, { show: "all", right: -1, wrong: -1, sort: "order", text: "" });
        restore();
        select();
    });
    byId("p-first").addEventListener("click", () => go(0));
    byId("p-prev").addEventListener("click", () => go(state.page - 1));
    byId("p-next").addEventListener("click", () => go(state.page + 1));
    byId("p-last").addEventListener("click", () => go(Infinity));
    byId("p-open").addEventListener("click", () => {
        const open = byId("p-open").textContent.startsWith("Open");
        const begin = state.page * PAGE;
        document.querySelectorAll("#items-table .row-id").forEach((button, k) => toggle(button, found[begin + k], open));
        byId("p-open").textContent = open ? "Close all on this page" : "Open all on this page";
    });
    document.addEventListener("click", (event) => {
        const button = event.target.closest("button[data-right]");
        if (button) {
            Object.assign(state, {
                show: "all", sort: "order", text: "", metric: Number(button.dataset.metric),
                right: Number(button.dataset.right), wrong: Number(button.dataset.wrong)
            });
            restore();
            select();
            byId("items").scrollIntoView();
            byId("f-right").focus({ preventScroll: true });
        }
    });
    restore();
    select();
})();
