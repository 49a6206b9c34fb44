// One destination over time: its paths, which flow was on which of them, and what happened. A click sets the moment that the
// page shows; a second one with Shift, what it is compared with.
import { commandsOf, copyText, csvOf, savePng, saveSvg, saveText } from "./export.js";
import { differenceOf } from "./difference.js";
import { clock, count, drawing, element, percent, set, severity, sync, time, write } from "./text.js";

const RANGES = { "5m": "5 minutes", "15m": "15 minutes", "1h": "1 hour", "6h": "6 hours", "24h": "24 hours", "168h": "7 days", "720h": "30 days" };
const AGAIN = 15000;
const LEFT = 92, RIGHT = 14, TOP = 8, ROW = 46, LOW_ROW = 26, MANY = 16, RIBBON = 9, AXIS = 26, VERDICT = 12;
const MOST_FLOWS = 64;
/** As different as they can be told apart on light and dark; the ordinal says which is which too. */
const hue = (ordinal) => `hsl(${(ordinal * 137) % 360} 55% 52%)`;

export class Past {
  /** `ask(path)` answers or throws; `seek(at, against)` makes them the page's moments, null for now or none. */
  constructor(ask, seek) {
    Object.assign(this, { ask, seek, name: null, series: null, at: null, against: null, asked: 0, range: "1h", seen: false });
    this.build();
    new IntersectionObserver((entries) => {
      this.seen = entries.at(-1).isIntersecting;
      if (this.seen) this.load();
    }).observe(this.card);
    new ResizeObserver(() => this.draw()).observe(this.box);
  }

  build() {
    const button = (text, label, act) => {
      const made = element("button", { type: "button", "aria-label": label }, text);
      made.addEventListener("click", act);
      return made;
    };
    this.select = element("select", { "aria-label": "Range of time" }, ...Object.entries(RANGES).map(([value, text]) => element("option", { value }, text)));
    this.select.value = this.range;
    this.select.addEventListener("change", () => {
      this.range = this.select.value;
      this.series = null;
      this.load(true);
    });
    this.live = button("● Live", "Show what is now", () => this.seek(null, null));
    // For fingers, which have no Shift.
    this.comparing = button("⇄ Compare", "Compare with the moment that is clicked next", () => set(this.comparing, { "aria-pressed": this.isComparing() ? "false" : "true" }));
    this.moment = element("span", { class: "moment", role: "status", "aria-live": "polite" });
    this.note = element("span", { class: "hint" });
    this.svg = drawing("svg", { class: "timeline", tabindex: 0, role: "slider", "aria-label": "Moment shown; arrow keys move it, Shift compares" });
    this.layers = Object.fromEntries(["paths", "ribbons", "events", "axis", "cursor"].map((name) => [name, drawing("g", { class: name })]));
    this.svg.append(...Object.values(this.layers));
    this.box = element("div", { class: "timeline-box" }, this.svg);
    this.difference = element("div", { class: "difference", hidden: true });
    const exports = element("div", { class: "exports", role: "group", "aria-label": "Export" },
      button("SVG", "Save the timeline as SVG", () => saveSvg(this.svg, `${this.name}-timeline`)),
      button("PNG", "Save the timeline as PNG", () => savePng(this.svg, `${this.name}-timeline`)),
      button("CSV", "Save the series as CSV", () => this.series && saveText(csvOf(this.series), `${this.name}.csv`, "text/csv")),
      button("Copy commands", "Copy the commands that reproduce what is shown", (event) => this.copy(event.target)));
    this.card = element("section", { class: "card past", "aria-label": "Over time" }, element("h2", {}, "Over time"),
      element("div", { class: "past-bar" }, this.select, this.live, this.comparing, this.moment, this.note, exports), this.box, this.difference,
      element("p", { class: "hint" }, "Line: median RTT, band: p5 to p95, red: loss. A click shows that moment; with Shift, or after ⇄, it is what the moment shown is compared with."));
    this.svg.addEventListener("click", (event) => this.onClick(event));
    this.svg.addEventListener("keydown", (event) => this.onKey(event));
  }

  async copy(button) {
    const done = await copyText(commandsOf(this.destination, this.range, this.at));
    write(button, done ? "Copied" : "Not allowed");
    setTimeout(() => write(button, "Copy commands"), 1500);
  }

  /** What the page shows has changed, or may have grown old. */
  update({ chosen, at, against, topology, events }) {
    const destination = topology?.destinations[0];
    if (chosen !== this.name) Object.assign(this, { name: chosen, series: null, asked: 0, destination: null });
    const moved = at !== this.at || against !== this.against;
    Object.assign(this, { at, against, events, destination: destination ?? this.destination, topology });
    if (destination) this.ordinals = new Map([...(this.ordinals ?? []), ...destination.paths.map((path) => [path.id, path.ordinal])]);
    if (moved) this.compare();
    this.load();
    this.draw();
  }

  async load(now = false) {
    if (this.name === null || document.hidden || !this.seen || this.loading) return;
    if (!now && Date.now() - this.asked < AGAIN) return;
    this.asked = Date.now();
    this.loading = true;
    const { name, range } = this;
    const query = `destination=${encodeURIComponent(name)}&from=${range}`;
    try {
      const [series, events] = await Promise.all([this.ask(`series?${query}&flows=true`).then((answer) => answer.json()),
        this.ask(`events?destination=${encodeURIComponent(name)}&since=${range}&limit=500`).then((answer) => answer.text())]);
      if (name === this.name && range === this.range) {
        this.series = series;
        this.happened = events.split("\n").filter(Boolean).map((line) => JSON.parse(line));
        write(this.note, "");
      }
    } catch (error) {
      write(this.note, error.status === 503 ? "the agent has no room for this now" : "no answer");
    }
    this.loading = false;
    if (name !== this.name || range !== this.range) return this.load(true);
    this.draw();
  }

  async compare() {
    this.difference.hidden = true;
    const { name, at, against } = this;
    if (against === null) return;
    const fan = (moment) => this.ask(`topology?destination=${encodeURIComponent(name)}${moment === null ? "" : `&at=${encodeURIComponent(moment)}`}`).then((answer) => answer.json());
    let rows;
    try {
      const [before, after] = await Promise.all([fan(against), fan(at)]);
      rows = differenceOf(before, after);
    } catch (error) {
      rows = [["", error.status === 404 ? "No rounds of that moment are kept." : "No answer."]];
    }
    if (name !== this.name || at !== this.at || against !== this.against) return;
    const close = element("button", { type: "button", "aria-label": "Stop comparing" }, "✕");
    close.addEventListener("click", () => this.seek(this.at, null));
    this.difference.replaceChildren(element("h3", {}, `From ${clock(against)} to ${at === null ? "now" : clock(at)}`, close),
      element("dl", {}, ...rows.flatMap(([key, text]) => [element("dt", {}, key), element("dd", {}, text)])));
    this.difference.hidden = false;
  }

  // --- where and when ---

  x(when) {
    const { begin, end } = this.span;
    return LEFT + ((when - begin) / (end - begin)) * (this.width - LEFT - RIGHT);
  }

  onClick(event) {
    if (!this.series) return;
    const box = this.svg.getBoundingClientRect();
    const part = (event.clientX - box.left - LEFT) / (this.width - LEFT - RIGHT);
    const { begin, end } = this.span;
    const against = event.shiftKey || this.isComparing();
    set(this.comparing, { "aria-pressed": "false" });
    this.set(begin + Math.min(Math.max(part, 0), 1) * (end - begin), against);
  }

  isComparing() {
    return this.comparing.getAttribute("aria-pressed") === "true";
  }

  set(when, against) {
    const now = Date.now();
    const text = when >= now - 1000 ? null : new Date(Math.round(when / 1000) * 1000).toISOString().replace(".000", "");
    if (against) this.seek(this.at, text);
    else this.seek(text, this.against);
  }

  onKey(event) {
    if (!this.series) return;
    const step = this.series.step_ns / 1e6;
    const moves = { ArrowLeft: -step, ArrowRight: step, PageUp: -10 * step, PageDown: 10 * step };
    const from = event.shiftKey ? this.against ?? this.at : this.at;
    const at = from === null ? this.span.end : Date.parse(from);
    if (event.key in moves) this.set(Math.max(at + moves[event.key], this.span.begin), event.shiftKey);
    else if (event.key === "Home") this.set(this.span.begin, event.shiftKey);
    else if (event.key === "End") this.seek(null, null);
    else return;
    event.preventDefault();
  }

  // --- drawing ---

  draw() {
    write(this.moment, this.at === null ? "now" : clock(this.at));
    set(this.live, { class: this.at === null ? "on" : "", "aria-pressed": this.at === null ? "true" : "false" });
    const { series } = this;
    set(this.card, { "data-empty": series && !series.paths.length ? "Nothing was measured in this time." : null });
    this.box.hidden = !series?.paths.length;
    if (this.box.hidden) return;
    this.width = Math.max(this.box.clientWidth, 300);
    const begin = Date.parse(series.times[0]);
    this.span = { begin, end: begin + (series.step_ns / 1e6) * series.times.length };
    const ordinal = (id) => this.ordinals?.get(id) ?? 0;
    const sum = (list) => list.reduce((all, one) => all + (one ?? 0), 0);
    const paths = series.paths.map((path) => ({ ...path, ordinal: ordinal(path.path), sent: sum(path.probes), lost: sum(path.losses) }))
      .sort((a, b) => (a.ordinal || 1e9) - (b.ordinal || 1e9));
    const flows = Object.entries(series.flow_paths ?? {}).slice(0, MOST_FLOWS);
    const tall = paths.length > MANY ? LOW_ROW : ROW;
    const flowsTop = TOP + paths.length * tall + 6;
    const eventsTop = flowsTop + flows.length * RIBBON + 8;
    const verdicts = verdictsOf(this.happened ?? [], this.span);
    const axisTop = eventsTop + 14 + verdicts.length * VERDICT;
    const height = axisTop + AXIS;
    set(this.svg, { width: this.width, height, viewBox: `0 0 ${this.width} ${height}`, "aria-valuetext": this.moment.textContent,
      "aria-valuemin": 0, "aria-valuemax": series.times.length, "aria-valuenow": this.at === null ? series.times.length : Math.round((Date.parse(this.at) - begin) / (series.step_ns / 1e6)) });
    const most = Math.max(1, ...paths.flatMap((path) => path.rtt_ns.p95.filter((one) => one !== null)));
    sync(this.layers.paths, paths.map((path, row) => ({ ...path, row, most, tall })), (path) => path.path, makePath, (group, path) => this.drawPath(group, path));
    sync(this.layers.ribbons, flows.map(([port, on], row) => ({ port, on, y: flowsTop + row * RIBBON })), ({ port }) => port,
      () => drawing("g", { class: "ribbon" }), (group, flow) => this.drawRibbon(group, flow, flows.length, ordinal));
    this.drawEvents(eventsTop, verdicts);
    this.drawAxis(axisTop, height);
  }

  drawPath(group, { row, tall, most, path, ordinal, probes, losses, silences, rtt_ns: rtt, sent, lost }) {
    const top = TOP + row * tall, low = top + tall - 8;
    const wide = (this.width - LEFT - RIGHT) / probes.length;
    const at = (index) => LEFT + (index + 0.5) * wide;
    const y = (value) => low - 6 - (value / most) * (tall - 18);
    let line = "", bands = "", loss = ["", "", "", ""], quiet = "";
    let upper = [], lower = [];
    const close = () => {
      if (upper.length > 1) bands += `M${upper.join("L")}L${lower.reverse().join("L")}Z`;
      upper = [];
      lower = [];
    };
    for (let i = 0; i < probes.length; ++i) {
      if (rtt.p50[i] === null) close();
      else {
        // A step by itself is seen as well.
        line += upper.length ? `L${at(i).toFixed(1)} ${y(rtt.p50[i]).toFixed(1)}` : `M${(at(i) - wide / 2).toFixed(1)} ${y(rtt.p50[i]).toFixed(1)}L${at(i).toFixed(1)} ${y(rtt.p50[i]).toFixed(1)}`;
        upper.push(`${at(i).toFixed(1)} ${y(rtt.p95[i]).toFixed(1)}`);
        lower.push(`${at(i).toFixed(1)} ${y(rtt.p5[i]).toFixed(1)}`);
      }
      const left = (at(i) - wide / 2).toFixed(1);
      if (losses[i]) {
        const high = 4 + (tall - 14) * (losses[i] / probes[i]);
        loss[severity(losses[i] / probes[i])] += `M${left} ${low}h${Math.max(wide, 1.5).toFixed(1)}v${(-high).toFixed(1)}h${(-Math.max(wide, 1.5)).toFixed(1)}Z`;
      }
      if (silences[i]) quiet += `M${left} ${low + 3}h${Math.max(wide, 1.5).toFixed(1)}`;
    }
    close();
    const [key, name, figure, band, median, low1, low2, low3, silence, base, title] = group.children;
    set(key, { x: 4, y: top + 9, width: 8, height: 8, rx: 2, fill: hue(ordinal) });
    set(name, { x: 17, y: top + 17 });
    write(name, ordinal ? `${tall < ROW ? "" : "path "}${ordinal}` : path || "no path");
    // Where there are many, name and figure share a line.
    set(figure, { x: tall < ROW ? LEFT - 4 : 17, y: top + (tall < ROW ? 17 : 31), "text-anchor": tall < ROW ? "end" : null, class: `figures${lost ? ` loss-${severity(lost / sent)}` : ""}` });
    write(figure, lost ? `${tall < ROW ? "" : "lost "}${percent(lost / sent)}` : ordinal || tall === ROW ? `${time(middle(rtt.p50))}` : "");
    set(band, { d: bands || null, class: "band" });
    set(median, { d: line || null, class: "median" });
    [low1, low2, low3].forEach((one, index) => set(one, { d: loss[index + 1] || null, class: `lost loss-${index + 1}` }));
    set(silence, { d: quiet || null, class: "quiet" });
    set(base, { d: `M${LEFT} ${low}H${this.width - RIGHT}`, class: "base" });
    write(title, `path ${ordinal || ""} ${path}: ${lost.toLocaleString("en")} of ${count(sent, "probe")} lost`);
  }

  drawRibbon(group, { port, on, y }, all, ordinal) {
    const wide = (this.width - LEFT - RIGHT) / on.length;
    const runs = [];
    on.forEach((path, index) => {
      if (path === null) return;
      const last = runs.at(-1);
      // A step without a round between two on the same path is no gap to be seen at this scale.
      if (last && last.path === path && last.end >= index - 1) last.end = index + 1;
      else runs.push({ path, begin: index, end: index + 1 });
    });
    sync(group, [{ key: "name" }, ...runs.map((run) => ({ key: run.begin, run }))], ({ key }) => key,
      ({ run }) => run ? drawing("rect", {}) : drawing("text", {}), (part, { run }) => {
        if (run) return set(part, { x: LEFT + run.begin * wide, y, width: Math.max(1, (run.end - run.begin) * wide), height: RIBBON - 3, fill: hue(ordinal(run.path)) });
        set(part, { x: LEFT - 6, y: y + 7, "text-anchor": "end", class: "port" });
        write(part, all <= 24 || Number(port) % 4 === 0 ? port : "");
      });
  }

  drawEvents(top, verdicts) {
    const inside = (this.happened ?? []).filter((event) => !event.loss && Date.parse(event.time) >= this.span.begin && Date.parse(event.time) <= this.span.end);
    sync(this.layers.events, [...inside.map((event) => ({ key: `e${event.id}`, event })), ...verdicts.map((verdict, row) => ({ key: `v${verdict.key}`, verdict, row }))],
      ({ key }) => key, ({ event }) => event ? drawing("path", {}, drawing("title")) : drawing("g", {}, drawing("rect"), drawing("text"), drawing("title")),
      (part, { event, verdict, row }) => {
        if (event) {
          const x = this.x(Date.parse(event.time));
          set(part, { d: `M${x.toFixed(1)} ${top}l5 9h-10Z`, class: `event ${event.kind}` });
          return write(part.firstChild, `${clock(event.time)} ${event.kind}`);
        }
        const left = Math.max(this.x(verdict.begin), LEFT), right = Math.min(this.x(verdict.end), this.width - RIGHT);
        const [bar, text, title] = part.children;
        set(part, { class: "verdict" });
        set(bar, { x: left, y: top + 14 + row * VERDICT, width: Math.max(2, right - left), height: VERDICT - 3, rx: 2 });
        set(text, { x: LEFT - 6, y: top + 22 + row * VERDICT, "text-anchor": "end", class: "port" });
        write(text, "link loses");
        write(title, `${verdict.text}: ${clock(verdict.begin)} to ${clock(verdict.end)}`);
      });
  }

  drawAxis(top, height) {
    const { begin, end } = this.span;
    const room = Math.max(2, Math.floor((this.width - LEFT - RIGHT) / 110));
    const steps = [60, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400, 172800, 432000].map((one) => one * 1000);
    const step = steps.find((one) => (end - begin) / one <= room) ?? steps.at(-1);
    const marks = marksOf(begin, end, step);
    sync(this.layers.axis, [{ key: "line" }, ...marks.map((at) => ({ key: at, at }))], ({ key }) => key, ({ at }) =>
      at ? drawing("g", {}, drawing("path"), drawing("text", { "text-anchor": "middle" })) : drawing("path"), (part, { at }) => {
      if (!at) return set(part, { d: `M${LEFT} ${top}H${this.width - RIGHT}` });
      const date = new Date(at), pad = (value) => String(value).padStart(2, "0");
      set(part.firstChild, { d: `M${this.x(at).toFixed(1)} ${TOP}V${top + 4}` });
      set(part.lastChild, { x: Math.min(Math.max(this.x(at), LEFT + 16), this.width - RIGHT - 16), y: top + 17 });
      write(part.lastChild, step < 86400000 ? `${pad(date.getHours())}:${pad(date.getMinutes())}` : `${pad(date.getMonth() + 1)}-${pad(date.getDate())}`);
    });
    const cursors = [["at", this.at], ["against", this.against]].filter(([, when]) => when !== null && Date.parse(when) >= begin && Date.parse(when) <= end);
    sync(this.layers.cursor, cursors, ([kind]) => kind, ([kind]) => drawing("path", { class: kind }), (part, [, when]) =>
      set(part, { d: `M${this.x(Date.parse(when)).toFixed(1)} 0V${height - AXIS + 6}` }));
  }
}

const makePath = () => drawing("g", { class: "path" }, drawing("rect"), drawing("text", { class: "name" }), drawing("text"), drawing("path"), drawing("path"),
  drawing("path"), drawing("path"), drawing("path"), drawing("path"), drawing("path"), drawing("title"));

function middle(values) {
  const known = values.filter((one) => one !== null).sort((a, b) => a - b);
  return known.length ? known[Math.floor(known.length / 2)] : null;
}

/** Moments from `begin` to `end` that are round in local time, whose distance from UTC may change on the way. */
function marksOf(begin, end, step) {
  const shift = (when) => new Date(when).getTimezoneOffset() * 60000;
  const marks = [];
  for (let local = Math.ceil((begin - shift(begin)) / step) * step; ; local += step) {
    const at = local + shift(local + shift(begin));
    if (at > end) return marks;
    if (at >= begin && at > (marks.at(-1) ?? 0)) marks.push(at);
  }
}

/** Verdicts that a link loses, from their begin to their end or to the end of what is shown. */
function verdictsOf(events, span) {
  const bars = new Map();
  for (const event of events) {
    if (!event.loss) continue;
    const links = event.loss.links.map((link) => `${link.from}>${link.to}`).join();
    // Which links it is about may have changed by its end; when it began has not.
    const all = [...bars.values()].reverse().filter((bar) => bar.open);
    const open = all.find((bar) => bar.links === links) ?? (event.phase === "end" ? all.find((bar) => bar.settled === event.settled) : undefined);
    const begin = Date.parse(event.loss.since ?? event.settled ?? event.time);
    if (event.phase === "end") {
      const end = Date.parse(event.loss.until ?? event.time);
      if (open) Object.assign(open, { begin: Math.min(open.begin, begin), end, open: false });
      else bars.set(event.id, { key: event.id, links, text: links, begin, end, open: false });
    } else if (!open) bars.set(event.id, { key: event.id, links, text: links, settled: event.settled, begin, end: span.end, open: true });
  }
  return [...bars.values()].filter((bar) => bar.end >= span.begin && bar.begin <= span.end).slice(-8);
}
