// The list of destinations. There may be ten thousand: only the rows in view exist.
import { count, element, percent, protocol, set, severity, sync, time, write } from "./text.js";

const ROW = 58;

/** What somebody who is called at night wants to see first. */
export function badness(destination) {
  if (destination.state === "down") return 1000;
  if (destination.state === "unknown") return 500;
  if (destination.state === "pending") return -1;
  return Math.max(destination.worst_path?.loss_ratio ?? 0, destination.window.loss_ratio ?? 0) * 100;
}

const ORDERS = {
  worst: (a, b) => badness(b) - badness(a),
  name: () => 0,
  rtt: (a, b) => (b.window.rtt_ns?.p99 ?? -1) - (a.window.rtt_ns?.p99 ?? -1),
  changes: (a, b) => b.changes - a.changes,
};

export function health(destination) {
  if (destination.state === "down") return { level: "down", text: "down", sign: "✕" };
  if (destination.state !== "up") return { level: destination.state, text: destination.unjudged.text, sign: destination.state === "unknown" ? "?" : "○" };
  const level = severity(Math.max(destination.worst_path?.loss_ratio ?? 0, destination.window.loss_ratio ?? 0));
  return level === 0 ? { level: "up", text: "up", sign: "●" } : { level: `loss-${level}`, text: "up, with loss", sign: "▲" };
}

const searched = (destination) => [destination.name, destination.host, destination.address, destination.protocol, destination.state,
  ...Object.entries(destination.labels).map(([key, value]) => `${key}=${value}`)].join("\n").toLowerCase();

export class List {
  constructor({ list, rows, search, sort, counter }, choose) {
    Object.assign(this, { list, rows, search, sort, counter, choose });
    this.all = [];
    this.shown = [];
    this.before = new Map();  // row of each name as last arranged
    this.active = null;  // name of the row that the keys are at
    this.chosen = null;
    list.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(list);
    search.addEventListener("input", () => this.arrange(true));
    sort.addEventListener("change", () => {
      set(list, { "aria-label": `Destinations, by ${sort.selectedOptions[0].text}` });
      this.arrange(true);
    });
    search.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && search.value) {
        search.value = "";
        this.arrange(true);
        event.stopPropagation();
      } else if (event.key === "ArrowDown") {
        list.focus();
        this.move(0);
        event.preventDefault();
      } else if (event.key === "Enter" && this.shown.length) {
        this.choose(this.shown[0].name);
      }
    });
    list.addEventListener("keydown", (event) => this.onKey(event));
    list.addEventListener("click", (event) => {
      const row = event.target.closest("[role=option]");
      if (row) this.choose(row.dataset.key);
    });
  }

  update(destinations) {
    this.all = destinations.map((destination) => ({ ...destination, searched: searched(destination) }));
    this.arrange(false);
  }

  select(name) {
    if (this.chosen === name) return;
    this.chosen = name;
    if (name !== null) this.active = name;
    this.draw();
    if (name !== null) this.reveal(this.shown.findIndex((one) => one.name === name));
  }

  arrange(fromTop) {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    this.shown = this.all.filter((one) => words.every((word) => one.searched.includes(word)));
    const order = ORDERS[this.sort.value] ?? ORDERS.worst;
    this.shown.sort((a, b) => order(a, b) || (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    // Nothing moves away from under a pointer; what is new comes behind.
    if (!fromTop && this.list.matches(":hover")) this.shown.sort((a, b) => (this.before.get(a.name) ?? 1e9) - (this.before.get(b.name) ?? 1e9));
    this.before = new Map(this.shown.map((one, row) => [one.name, row]));
    write(this.counter, words.length ? `${this.shown.length.toLocaleString("en")} of ${count(this.all.length, "destination")}`
      : count(this.all.length, "destination"));
    if (fromTop) this.list.scrollTop = 0;
    this.draw();
  }

  draw() {
    const height = this.list.clientHeight;
    this.rows.style.height = `${this.shown.length * ROW}px`;
    const first = Math.max(0, Math.floor(this.list.scrollTop / ROW) - 3);
    const seen = this.shown.slice(first, first + Math.ceil(height / ROW) + 6).map((one, index) => ({ one, row: first + index }));
    sync(this.rows, seen, ({ one }) => one.name, makeRow, (row, item) => this.drawRow(row, item));
    const at = this.shown.findIndex((one) => one.name === this.active);
    set(this.list, { "aria-activedescendant": at >= first && at < first + seen.length ? `option-${at}` : null });
  }

  drawRow(row, { one, row: number }) {
    const { level, text, sign } = health(one);
    row.style.transform = `translateY(${number * ROW}px)`;
    set(row, {
      id: `option-${number}`, "aria-selected": one.name === this.chosen ? "true" : "false", "aria-posinset": number + 1,
      "aria-setsize": this.shown.length, class: `row${one.name === this.active ? " active" : ""}`,
      "aria-label": `${one.name}, ${text}, loss ${percent(one.window.loss_ratio)}, ${count(one.paths_in_use, "path")}`,
    });
    const [mark, name, loss, where, rtt] = row.children;
    set(mark, { class: `mark ${level}` });
    write(mark, sign);
    write(name, one.name);
    set(name, { title: one.name });
    const worst = one.worst_path?.loss_ratio ?? 0;
    set(loss, { class: `loss ${level}` });
    write(loss, one.state === "up" ? percent(Math.max(worst, one.window.loss_ratio ?? 0)) : one.unjudged?.reason.replaceAll("_", " ") ?? one.state);
    write(where, `${one.address || "not resolved"} · ${protocol(one)}`);
    write(rtt, one.state === "pending" ? "" : `${count(one.paths_in_use, "path")} · ${time(one.window.rtt_ns?.p50)}`);
  }

  onKey(event) {
    const page = Math.max(1, Math.floor(this.list.clientHeight / ROW) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) this.move(steps[event.key]);
    else if ((event.key === "Enter" || event.key === " ") && this.active !== null) this.choose(this.active);
    else return;
    event.preventDefault();
  }

  move(step) {
    if (!this.shown.length) return;
    const at = this.shown.findIndex((one) => one.name === this.active);
    const next = Math.min(Math.max(at < 0 ? 0 : at + step, 0), this.shown.length - 1);
    this.active = this.shown[next].name;
    this.reveal(next);
    this.draw();
  }

  reveal(row) {
    if (row < 0) return;
    const { list } = this;
    if (row * ROW < list.scrollTop) list.scrollTop = row * ROW;
    else if ((row + 1) * ROW > list.scrollTop + list.clientHeight) list.scrollTop = (row + 1) * ROW - list.clientHeight;
  }
}

const makeRow = () => element("div", { role: "option" }, element("span", { class: "mark", "aria-hidden": "true" }),
  element("span", { class: "name" }), element("span", { class: "loss" }), element("span", { class: "where mono" }),
  element("span", { class: "rtt" }));
