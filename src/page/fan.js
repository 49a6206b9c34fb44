// Draws the fan. Elements stay the same ones from update to update, so that focus, hover and selection live on.
import { columnsOf, graphOf, placeRows, shapeOf } from "./graph.js";
import { count, drawing, element, percent, ports, set, shorten, sync, time, write } from "./text.js";

const EDGE = 14;
const HEAD = 26;
/** By how many nodes the fullest column has: distance of rows, height of a node, its lines of text. */
const DENSITIES = [
  { upTo: 9, step: 56, height: 40, lines: 2 },
  { upTo: 20, step: 34, height: 24, lines: 1 },
  { upTo: Infinity, step: 25, height: 19, lines: 1 },
];

const what = (node) => node.name || node.address;

export function describe(node) {
  if (node.role === "unknown")
    return node.ends ? `hop ${node.ttl}: no answer from here on` : `hop ${node.ttl}: no answer so far`;
  if (node.words) return `${node.words}; ${count(node.flows, "flow")}`;
  if (node.role === "source") return `this agent, sending from ${node.address}`;
  const { window } = node;
  const silence = window.probes ? window.silences / window.probes : null;
  const rtt = window.rtt_ns, jitter = window.jitter_ns;
  return `hop ${node.ttl}: ${node.address}${node.name ? `, ${node.name}` : ""}${node.role === "destination" ? ", the destination" : ""}; ` +
    `${count(node.flows, "flow")}; loss ${percent(window.loss_ratio)}, silence ${percent(silence)}` +
    (rtt ? `; RTT p50 ${time(rtt.p50)}, p95 ${time(rtt.p95)}, p99 ${time(rtt.p99)}` : "") +
    (jitter ? `; jitter p95 ${time(jitter.p95)}` : "");
}

export class Fan {
  /** `choose` is called with {kind, id, label, ports} of what was clicked, or null. `first`: what stands before hop 1. */
  constructor(box, choose, first = "agent") {
    this.choose = choose;
    this.first = first;
    this.links = drawing("g", { class: "links" });
    this.labels = drawing("g", { class: "loss-labels", "aria-hidden": "true" });
    this.nodes = drawing("g", { class: "nodes" });
    this.heads = drawing("g", { class: "heads", "aria-hidden": "true" });
    this.svg = drawing("svg", { class: "fan", role: "group", "aria-label": "Fan of paths; arrow keys lead along it" },
      this.heads, this.links, this.labels, this.nodes);
    this.scroll = element("div", { class: "fan-scroll" }, this.svg);
    this.tip = element("div", { class: "tip", role: "tooltip", id: first === "agent" ? "tip" : `tip-${first}`, hidden: true });
    box.replaceChildren(this.scroll, this.tip);
    this.box = box;
    this.focused = null;
    this.shown = null;
    this.svg.addEventListener("keydown", (event) => this.onKey(event));
    this.svg.addEventListener("pointerover", (event) => this.onPointer(event));
    this.svg.addEventListener("pointerleave", () => this.hideTip());
    this.svg.addEventListener("focusin", (event) => this.onFocus(event));
    this.svg.addEventListener("focusout", () => this.hideTip());
    this.svg.addEventListener("click", (event) => this.onClick(event));
    this.scroll.addEventListener("scroll", () => this.hideTip(), { passive: true });
    new ResizeObserver(() => this.topology && this.draw()).observe(box);
  }

  update(topology, filter) {
    this.topology = topology;
    this.filter = filter;
    this.graph = graphOf(topology);
    this.draw();
    if (this.shown) this.showTip(this.shown.kind, this.shown.id);
  }

  // --- where everything stands ---

  layOut() {
    const { graph } = this;
    const shape = shapeOf(graph);
    if (shape !== this.shape) {
      this.shape = shape;
      const ordinals = new Map(this.topology.destinations[0].paths.map((path) => [path.id, path.ordinal]));
      this.order = columnsOf(graph, ordinals).map((column) => column.map((node) => node.id));
    }
    const columns = this.order.map((column) => column.map((id) => graph.nodes.get(id)));
    const fullest = Math.max(...columns.map((column) => column.length), 1);
    this.density = DENSITIES.find(({ upTo }) => fullest <= upTo);
    placeRows(columns, this.density.step);
    // Of a destination that nobody has answered for yet there is no row at all.
    const rows = columns.flat().map((node) => node.y);
    if (rows.length === 0) rows.push(0);
    const top = Math.min(...rows);
    const bottom = Math.max(...rows);
    const room = Math.max(this.box.clientWidth - 2 * EDGE, 200);
    const six = [...graph.nodes.values()].some((node) => node.address.includes(":"));
    // A hop has to hold an address; what is left of the room is for the links.
    const least = (six ? 112 : 104) + 38;
    const pitch = Math.min(Math.max((room + 42) / columns.length, least), 250);
    this.gap = Math.min(Math.max(pitch * 0.32, 36), 96);
    this.width = Math.min(pitch - this.gap, six ? 170 : 150);
    const wide = (columns.length - 1) * pitch + this.width;
    const left = EDGE + Math.max(0, (room - wide) / 2);
    for (const column of columns) {
      for (const node of column) {
        node.x = left + node.ttl * pitch;
        node.y = HEAD + EDGE + this.density.height / 2 + node.y - top;
      }
    }
    this.columns = columns;
    this.size = [Math.max(room + 2 * EDGE, wide + 2 * EDGE),
                 Math.ceil(HEAD + 2 * EDGE + this.density.height + bottom - top)];
    this.spread();
  }

  /** Links side by side where they leave and enter a node, as broad as they carry flows. */
  spread() {
    const broadest = Math.min(16, this.density.height - 8);
    for (const link of this.graph.links.values())
      link.stroke = Math.max(link.severity > 0 ? 3.5 : 1.5, (broadest * link.flows) / Math.max(1, this.graph.flows));
    const { nodes } = this.graph;
    for (const node of nodes.values()) {
      for (const [links, other, end] of [[node.out, "to", "y1"], [node.into, "from", "y2"]]) {
        links.sort((a, b) => nodes.get(a[other]).y - nodes.get(b[other]).y);
        const sum = links.reduce((all, link) => all + link.stroke, 0);
        const fit = Math.min(1, (this.density.height - 6) / sum);
        let at = node.y - (sum * fit) / 2;
        for (const link of links) {
          link[end] = at + (link.stroke * fit) / 2;
          at += link.stroke * fit;
        }
      }
    }
  }

  // --- drawing ---

  draw() {
    this.layOut();
    const [width, height] = this.size;
    set(this.svg, { width, height, viewBox: `0 0 ${width} ${height}` });
    sync(this.heads, this.columns.map((column, ttl) => ({ ttl, x: column[0]?.x })).filter(({ x }) => x !== undefined),
      ({ ttl }) => ttl, () => drawing("text", { "text-anchor": "middle" }), (text, { ttl, x }) => {
        set(text, { x: x + this.width / 2, y: 20 });
        write(text, ttl === 0 ? this.first : `hop ${ttl}`);
      });
    const links = [...this.graph.links.values()];
    sync(this.links, links, ({ id }) => id, makeLink, (group, link) => this.drawLink(group, link));
    sync(this.labels, links.filter((link) => link.severity > 0), ({ id }) => id, makeLabel,
      (group, link) => this.drawLabel(group, link));
    sync(this.nodes, this.columns.flat(), ({ id }) => id, makeNode, (group, node) => this.drawNode(group, node));
    if (!this.graph.nodes.has(this.focused)) this.focused = this.columns.flat()[0]?.id ?? null;
    for (const group of this.nodes.children)
      set(group, { tabindex: group.dataset.key === this.focused ? 0 : -1 });
  }

  dimmed(sourcePorts, paths) {
    if (!this.filter) return false;
    if (this.filter.path) return paths ? !paths.has(this.filter.path) : !sourcePorts.some((port) => this.filter.ports.has(port));
    return !sourcePorts.some((port) => this.filter.ports.has(port));
  }

  portsOf(node) {
    return [...new Set([...node.into, ...node.out].flatMap((link) => link.source_ports))].sort((a, b) => a - b);
  }

  drawLink(group, link) {
    const from = this.graph.nodes.get(link.from), to = this.graph.nodes.get(link.to);
    const x1 = from.x + this.width, x2 = to.x, bend = (x2 - x1) * 0.5;
    const path = `M${x1} ${link.y1}C${x1 + bend} ${link.y1} ${x2 - bend} ${link.y2} ${x2} ${link.y2}`;
    set(group, {
      class: `link loss-${link.severity}${link.known ? "" : " guess"}${this.dimmed(link.source_ports) ? " dim" : ""}`,
      "data-severity": link.severity, "data-link": link.id,
    });
    set(group.firstChild, { d: path, "stroke-width": link.stroke.toFixed(2) });
    set(group.lastChild, { d: path, "stroke-width": Math.max(12, link.stroke) });
  }

  drawLabel(group, link) {
    const from = this.graph.nodes.get(link.from), to = this.graph.nodes.get(link.to);
    const text = percent(link.loss);
    const wide = 12 + 6.2 * text.length;
    const x = (from.x + this.width + to.x) / 2, y = (link.y1 + link.y2) / 2;
    set(group, { transform: `translate(${x} ${y})`, class: `loss-${link.severity}${this.dimmed(link.source_ports) ? " dim" : ""}` });
    set(group.firstChild, { x: -wide / 2, y: -9, width: wide, height: 18, rx: 9 });
    write(group.lastChild, text);
  }

  drawNode(group, node) {
    const { height, lines } = this.density;
    const unknown = node.role === "unknown";
    const silence = node.window?.probes ? node.window.silences / node.window.probes : 0;
    const chosen = this.filter?.kind === "node" && this.filter.id === node.id;
    set(group, {
      class: `node ${node.role}${silence > 0.2 ? " quiet" : ""}${chosen ? " chosen" : ""}` +
        (this.dimmed(this.portsOf(node), node.paths) ? " dim" : ""),
      transform: `translate(${node.x} ${node.y - height / 2})`,
      "aria-label": describe(node), "aria-pressed": chosen ? "true" : "false", "data-address": node.address,
    });
    const [box, first, second] = group.children;
    set(box, { width: this.width, height, rx: Math.min(8, height / 2) });
    const letters = Math.floor((this.width - 14) / 6.5);
    const two = lines === 2 && !unknown;
    set(first, { x: this.width / 2, y: two ? 17 : height / 2 + 4, class: "who" });
    write(first, unknown ? (node.ends ? "no answer" : "∗") : shorten(what(node), letters));
    set(second, { x: this.width / 2, y: 32, class: "figures", visibility: two ? "visible" : "hidden" });
    const rtt = node.window?.rtt_ns;
    write(second, !two ? "" : node.role === "source" ? count(this.graph.flows, "flow")
      : (rtt ? time(rtt.p50) : "–") + (silence >= 0.005 ? ` · ${Math.round(100 * silence)} % sil.` : ""));
  }

  // --- pointing, keys ---

  targetOf(event) {
    const group = event.target.closest?.("g.node, g.link");
    if (!group || !this.svg.contains(group)) return null;
    return { kind: group.classList.contains("node") ? "node" : "link", id: group.dataset.key };
  }

  onPointer(event) {
    const target = this.targetOf(event);
    if (target) this.showTip(target.kind, target.id);
    else this.hideTip();
  }

  onFocus(event) {
    const target = this.targetOf(event);
    if (!target || target.kind !== "node") return;
    this.focused = target.id;
    for (const group of this.nodes.children) set(group, { tabindex: group.dataset.key === target.id ? 0 : -1 });
    this.showTip("node", target.id);
  }

  onClick(event) {
    const target = this.targetOf(event);
    if (!target) return;
    this.pick(target.kind, target.id);
  }

  pick(kind, id) {
    const item = kind === "node" ? this.graph.nodes.get(id) : this.graph.links.get(id);
    if (!item) return;
    if (this.filter?.kind === kind && this.filter.id === id) return this.choose(null);
    this.choose({ kind, id });
  }

  /** What a filter chooses: its label and the flows over it; null if it is gone. */
  resolve(filter) {
    if (filter.kind === "node") {
      const node = this.graph.nodes.get(filter.id);
      return node && { label: `hop ${node.ttl}${what(node) ? `, ${what(node)}` : ""}`, ports: this.portsOf(node) };
    }
    const link = this.graph.links.get(filter.id);
    if (!link) return null;
    const from = this.graph.nodes.get(link.from), to = this.graph.nodes.get(link.to);
    return { label: `${what(from) || "?"} → ${what(to) || "?"}`, ports: link.source_ports };
  }

  onKey(event) {
    const node = this.graph.nodes.get(this.focused);
    if (!node) return;
    const column = this.columns[node.ttl];
    const row = column.indexOf(node);
    const most = (links) => links.reduce((best, link) => (!best || link.flows > best.flows ? link : best), null);
    let next = null;
    if (event.key === "ArrowUp") next = column[row - 1]?.id;
    else if (event.key === "ArrowDown") next = column[row + 1]?.id;
    else if (event.key === "ArrowRight") next = most(node.out)?.to;
    else if (event.key === "ArrowLeft") next = most(node.into)?.from;
    else if (event.key === "Home") next = this.columns.find((one) => one.length)?.[0].id;
    else if (event.key === "End") next = this.columns.at(-1)[0]?.id;
    else if (event.key === "Enter" || event.key === " ") this.pick("node", node.id);
    else return;
    event.preventDefault();
    if (next) this.elementOf(next)?.focus();
  }

  elementOf(id) {
    return [...this.nodes.children].find((group) => group.dataset.key === id);
  }

  // --- what is told about one of them ---

  showTip(kind, id) {
    const item = kind === "node" ? this.graph.nodes.get(id) : this.graph.links.get(id);
    if (!item) return this.hideTip();
    this.shown = { kind, id };
    this.tip.replaceChildren(...(kind === "node" ? this.tellNode(item) : this.tellLink(item)));
    this.tip.hidden = false;
    const groups = kind === "node" ? this.nodes : this.links;
    const group = [...groups.children].find((one) => one.dataset.key === id);
    const at = group.getBoundingClientRect(), box = this.box.getBoundingClientRect();
    const middle = Math.min(Math.max(at.left + at.width / 2, box.left), box.right);
    const left = Math.min(Math.max(middle - box.left - this.tip.offsetWidth / 2, 4), Math.max(4, box.width - this.tip.offsetWidth - 4));
    const below = at.bottom - box.top + 8;
    const above = at.top - box.top - this.tip.offsetHeight - 8;
    const fits = at.bottom + 8 + this.tip.offsetHeight < innerHeight || above + box.top < 0;
    this.tip.style.left = `${left}px`;
    this.tip.style.top = `${fits ? below : above}px`;
  }

  hideTip() {
    this.shown = null;
    this.tip.hidden = true;
  }

  tellNode(node) {
    if (node.role === "unknown") {
      return [element("strong", {}, `Hop ${node.ttl}`),
              element("p", {}, node.ends ? "No hop answers from here on." : "Has never answered. Later hops do, so this is silence and not loss."),
              table([["flows", String(node.flows)]])];
    }
    const head = [element("strong", { class: "mono" }, node.address)];
    if (node.name) head.push(element("p", {}, node.name));
    if (node.role === "source") return [...head, table([["", "this agent"], ["flows", String(node.flows)]])];
    const { window } = node;
    const rows = [["hop", `${node.ttl}${node.role === "destination" ? ", the destination" : ""}`],
      ["flows", String(node.flows)],
      ["loss", `${percent(window.loss_ratio)}  (${window.losses} of ${window.probes})`],
      ["silence", `${percent(window.probes ? window.silences / window.probes : null)}  (${window.silences} of ${window.probes})`]];
    if (node.limited) rows.push(["ICMP limit", "its silence is its own: it limits its ICMP errors"]);
    if (window.rtt_ns) rows.push(["RTT p50 / p95 / p99", three(window.rtt_ns)]);
    if (window.jitter_ns) rows.push(["jitter p50 / p95 / p99", three(window.jitter_ns)]);
    if (node.mpls.length) rows.push(["MPLS", node.mpls.map((label) => `${label.label} (TC ${label.tc}, TTL ${label.ttl})`).join(", ")]);
    if (node.asn) rows.push(["AS", node.asn]);
    const place = [node.city, node.country].filter(Boolean).join(", ");
    if (place) rows.push(["place", place]);
    for (const finding of node.findings ?? []) rows.push([finding.kind.replaceAll("_", " "), finding.detail]);
    for (const refusal of node.refusals) rows.push(["refused", `${refusal.reply.replaceAll("_", " ")} × ${refusal.count}`]);
    return [...head, table(rows)];
  }

  tellLink(link) {
    const from = this.graph.nodes.get(link.from), to = this.graph.nodes.get(link.to);
    const rows = [["flows", `${link.flows} of ${this.graph.flows}`], ["source ports", ports(link.source_ports)]];
    if (link.window) {
      const { window } = link;
      rows.push(["no answer from its far end on", `${percent(window.loss_ratio)}  (${window.losses} of ${window.probes})`]);
      if (window.near_probes) rows.push(["no answer from its near end on", percent(window.near_loss_ratio)]);
    } else {
      rows.push(["", "not seen, only concluded"]);
    }
    if (link.severity > 0) rows.push(["lost from here on", percent(link.loss)], ["in the newest round", percent(link.now)]);
    return [element("strong", { class: "mono" }, `${what(from) || "?"} → ${what(to) || "?"}`), table(rows)];
  }
}

const three = (quantiles) => [quantiles.p50, quantiles.p95, quantiles.p99].map(time).join(" / ");

function table(rows) {
  return element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]));
}

const makeLink = () => drawing("g", {}, drawing("path", { class: "stroke" }), drawing("path", { class: "hit" }));
const makeLabel = () => drawing("g", {}, drawing("rect"), drawing("text", { "text-anchor": "middle", y: 4 }));
const makeNode = () => drawing("g", { role: "button", tabindex: -1 }, drawing("rect"),
  drawing("text", { "text-anchor": "middle" }), drawing("text", { "text-anchor": "middle" }));
