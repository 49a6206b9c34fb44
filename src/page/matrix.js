// All destinations over time: a row each, coloured by the path that lost most. Only what is in view is painted.
import { clock, count, element, percent, set, severity, write } from "./text.js";

const ROW = 15, AGAIN = 30000;
const RANGES = { "1h": "1 hour", "6h": "6 hours", "24h": "24 hours", "168h": "7 days" };

export class Matrix {
  /** `ask(path)` answers or throws; `choose(name, at)` shows a destination at a moment. */
  constructor(ask, choose) {
    Object.assign(this, { ask, choose, rows: [], times: [], row: 0, column: null, asked: 0, seen: false, label: "" });
    this.range = element("select", { "aria-label": "Range of time" }, ...Object.entries(RANGES).map(([value, text]) => element("option", { value }, text)));
    this.range.value = "24h";
    this.labels = element("select", { "aria-label": "Only destinations with this label" }, element("option", { value: "" }, "all labels"));
    for (const one of [this.range, this.labels]) one.addEventListener("change", () => this.load(true));
    this.told = element("span", { class: "hint matrix-told", role: "status", "aria-live": "polite" });
    this.canvas = element("canvas", { "aria-hidden": "true" });
    this.space = element("div", { class: "matrix-space" }, this.canvas);
    this.box = element("div", { class: "matrix", tabindex: 0, role: "application", "aria-label": "Destinations over time; arrow keys move, Enter opens" }, this.space);
    this.card = element("section", { class: "card", "aria-label": "Over time" }, element("h2", {}, "Over time"),
      element("div", { class: "past-bar" }, this.range, this.labels, this.told), this.box,
      element("p", { class: "hint" }, "A row is a destination, worst first; colour is the loss of its worst path, empty where nothing was measured."));
    this.box.addEventListener("scroll", () => this.draw(), { passive: true });
    this.box.addEventListener("pointermove", (event) => this.point(event));
    this.box.addEventListener("click", (event) => {
      this.point(event);
      this.open();
    });
    this.box.addEventListener("keydown", (event) => this.onKey(event));
    new ResizeObserver(() => this.draw()).observe(this.box);
    new IntersectionObserver((entries) => {
      this.seen = entries.at(-1).isIntersecting;
      if (this.seen) this.load();
    }).observe(this.card);
    // Colours of the theme that is on.
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  update(destinations) {
    const all = [...new Set(destinations.flatMap((one) => Object.entries(one.labels).map(([name, value]) => `${name}:${value}`)))].sort().slice(0, 200);
    if (all.join("\n") !== this.label) {
      this.label = all.join("\n");
      const chosen = this.labels.value;
      this.labels.replaceChildren(element("option", { value: "" }, "all labels"), ...all.map((text) => element("option", { value: text }, text)));
      this.labels.value = all.includes(chosen) ? chosen : "";
    }
    this.load();
  }

  async load(now = false) {
    if (document.hidden || !this.seen || (!now && (this.loading || Date.now() - this.asked < AGAIN))) return;
    this.asked = Date.now();
    this.loading = true;
    const query = `overview?from=${this.range.value}&columns=${Math.max(24, Math.min(288, Math.floor(this.plot / 3)))}${this.labels.value ? `&label=${encodeURIComponent(this.labels.value)}` : ""}`;
    this.query = query;
    try {
      const answer = await (await this.ask(query)).json();
      if (query !== this.query) return;
      Object.assign(this, { rows: answer.destinations, times: answer.times });
      write(this.told, count(answer.destinations.length, "destination"));
    } catch {
      write(this.told, "no answer");
    }
    this.loading = false;
    this.draw();
  }

  get names() {
    return Math.min(170, Math.max(90, Math.floor(this.box.clientWidth * 0.22)));
  }
  get plot() {
    return Math.max(60, this.box.clientWidth - this.names - 6);
  }

  draw() {
    const { box, canvas, rows, times } = this;
    const wide = box.clientWidth, tall = box.clientHeight;
    this.space.style.height = `${Math.max(rows.length * ROW, 1)}px`;
    box.style.height = `${Math.min(Math.max(rows.length, 2), 28) * ROW + 2}px`;
    if (!wide || !tall) return;
    const scale = devicePixelRatio || 1;
    [canvas.width, canvas.height] = [wide * scale, tall * scale];
    canvas.style.width = `${wide}px`;
    canvas.style.height = `${tall}px`;
    const looks = getComputedStyle(document.documentElement);
    const colour = (name) => looks.getPropertyValue(name).trim();
    const colours = [colour("--calm"), colour("--low-link"), colour("--mid-link"), colour("--high-link")];
    const pen = canvas.getContext("2d");
    pen.scale(scale, scale);
    pen.font = `11px ${looks.getPropertyValue("--mono")}`;
    pen.textBaseline = "middle";
    const left = this.names, cell = this.plot / Math.max(1, times.length);
    const first = Math.floor(box.scrollTop / ROW);
    for (let at = first; at < Math.min(rows.length, first + tall / ROW + 1); ++at) {
      const y = at * ROW - box.scrollTop;
      pen.fillStyle = colour(at === this.row && this.column !== null ? "--accent" : "--ink");
      pen.fillText(fitted(pen, rows[at].name, left - 10), 2, y + ROW / 2);
      rows[at].loss_ratio.forEach((loss, column) => {
        if (loss === null) return;
        pen.fillStyle = colours[severity(loss)];
        pen.fillRect(left + column * cell, y + 1, Math.max(1, cell - (cell > 4 ? 1 : 0)), ROW - 2);
      });
      if (at === this.row && this.column !== null) {
        pen.strokeStyle = colour("--accent");
        pen.lineWidth = 2;
        pen.strokeRect(left + this.column * cell, y + 1, Math.max(3, cell), ROW - 2);
      }
    }
    set(this.card, { "data-empty": rows.length ? null : "No destination matches, or nothing is known yet." });
  }

  tell() {
    const one = this.rows[this.row];
    if (!one || this.column === null) return;
    const loss = one.loss_ratio[this.column];
    write(this.told, `${one.name} · ${clock(this.times[this.column])} · ${loss === null ? "nothing measured" : `worst path loses ${percent(loss)}`}`);
    this.draw();
  }

  point(event) {
    const place = this.box.getBoundingClientRect();
    const row = Math.floor((event.clientY - place.top + this.box.scrollTop) / ROW);
    const column = Math.floor(((event.clientX - place.left - this.names) / this.plot) * this.times.length);
    if (row >= this.rows.length || row < 0) return;
    this.row = row;
    this.column = Math.min(Math.max(column, 0), this.times.length - 1);
    this.named = column < 0;
    this.tell();
  }

  open() {
    const one = this.rows[this.row];
    if (!one) return;
    const step = this.times.length > 1 ? Date.parse(this.times[1]) - Date.parse(this.times[0]) : 60000;
    const end = Date.parse(this.times[this.column ?? 0]) + step;
    // The end of the column: the figures of a moment are those of the window before it.
    const live = this.named || this.column === null || end >= Date.now();
    this.choose(one.name, live ? null : new Date(end).toISOString().replace(".000", ""));
  }

  onKey(event) {
    const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], PageUp: [-20, 0], PageDown: [20, 0], Home: [-1e9, 0], End: [1e9, 0] };
    if (event.key === "Enter") this.open();
    else if (event.key in moves && this.rows.length) {
      const [down, right] = moves[event.key];
      this.named = false;
      this.row = Math.min(Math.max(this.row + down, 0), this.rows.length - 1);
      this.column = Math.min(Math.max((this.column ?? this.times.length - 1) + right, 0), this.times.length - 1);
      if (this.row * ROW < this.box.scrollTop) this.box.scrollTop = this.row * ROW;
      else if ((this.row + 1) * ROW > this.box.scrollTop + this.box.clientHeight) this.box.scrollTop = (this.row + 1) * ROW - this.box.clientHeight;
      this.tell();
    } else return;
    event.preventDefault();
  }
}

function fitted(pen, text, room) {
  if (pen.measureText(text).width <= room) return text;
  const all = [...text];
  const letters = Math.max(2, Math.floor(room / pen.measureText("0").width) - 1);
  return `${all.slice(0, letters).join("")}…`;
}
