// Asks the agent every two seconds and shows what it says. Nothing is asked of anybody else, nothing while hidden.
import { Fan } from "./fan.js";
import { savePng, saveSvg } from "./export.js";
import { List, badness, health } from "./list.js";
import { Matrix } from "./matrix.js";
import { Past } from "./past.js";
import { clock, count, element, found, percent, ports, protocol, set, severity, share, shorten, sync, time, write } from "./text.js";
import { KINDS, between, directions, finding, linkName, reflectorTile, wayBack, wayTile, WAYS } from "./ways.js";

const PATIENCE = 8000;
const byId = (id) => document.getElementById(id);
const page = {
  chosen: null,   // name of a destination
  filter: null,   // {kind: node|link|path|flow, id, label, ports: Set, path}
  summary: null,
  topology: null,
  events: [],
  answered: null,  // when the agent answered last
  failing: null,   // since when it does not
  gone: false,     // the chosen destination is not configured any more
  at: null,        // moment that is shown, null for now; and what it is compared with
  against: null,
  unkept: false,   // nothing of that moment is kept
};

// --- asking ---

async function ask(path) {
  const response = await fetch(path, { cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE) });
  if (!response.ok) {
    const error = new Error(`${response.status}`);
    error.status = response.status;
    throw error;
  }
  return response;
}

const lines = (text) => text.split("\n").filter(Boolean).map((line) => JSON.parse(line));

async function askAll() {
  const { chosen: wanted, at } = page;
  const named = wanted === null ? "" : `destination=${encodeURIComponent(wanted)}`;
  const asked = [ask("topology?detail=summary").then((answer) => answer.json())];
  // What was does not change: it is asked for once.
  const had = at !== null && (page.topologyAt === at && page.topology || page.unkept);
  if (wanted !== null && !had) asked.push(ask(`topology?${named}${at === null ? "" : `&at=${encodeURIComponent(at)}`}`).then((answer) => answer.json()));
  const [summary, topology] = await Promise.all(asked.map((one) => one.catch((error) => error)));
  if (summary instanceof Error) throw summary;
  const gone = topology instanceof Error && topology.status === 400;
  const unkept = had ? page.unkept : topology instanceof Error && topology.status === 404;
  if (topology instanceof Error && !gone && !unkept) throw topology;
  const events = gone ? [] : lines(await (await ask(`events?limit=50${named && `&${named}`}`)).text());
  if (wanted !== page.chosen || at !== page.at) return false;  // somebody has chosen another one meanwhile
  Object.assign(page, { summary, topology: gone || unkept ? null : had ? page.topology : topology ?? null, topologyAt: at, events: events.reverse(), gone, unkept });
  return true;
}

let timer = null;
let asking = false;

async function poll() {
  clearTimeout(timer);
  if (asking || document.hidden) return;
  asking = true;
  let current = true;
  try {
    current = await askAll();
    page.answered = Date.now();
    page.failing = null;
  } catch {
    page.failing ??= Date.now();
  }
  asking = false;
  show();
  // Ten thousand destinations are some hundred kilobytes: not every two seconds.
  const pause = (page.summary?.destinations.length ?? 0) > 1000 ? 5000 : 2000;
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(poll, current ? pause : 0);
}

// --- what is chosen, and the address that keeps it ---

function readHash() {
  const given = new URLSearchParams(location.hash.slice(1));
  const chosen = given.get("destination");
  if (chosen !== page.chosen) Object.assign(page, { chosen, topology: null, events: [], gone: false, filter: null });
  const moment = (name) => Number.isNaN(Date.parse(given.get(name) ?? "")) || chosen === null ? null : given.get(name);
  if (moment("at") !== page.at) Object.assign(page, { at: moment("at"), topologyAt: undefined, unkept: false });
  page.against = moment("against");
  const [kind, ...rest] = (given.get("filter") ?? "").split(":");
  const id = rest.join(":");
  page.filter = chosen !== null && id && ["node", "link", "path", "flow"].includes(kind) ? { kind, id, ports: new Set() } : null;
  set(byId("columns"), { "data-chosen": chosen !== null });
  destinations.select(chosen);
  show();
  poll();
}

function go(chosen, filter = null, at = null, against = null) {
  const hash = new URLSearchParams();
  if (chosen !== null) hash.set("destination", chosen);
  if (filter) hash.set("filter", `${filter.kind}:${filter.id}`);
  if (at !== null) hash.set("at", at);
  if (against !== null) hash.set("against", against);
  const text = `#${hash}`;
  if (text === (location.hash || "#")) return;
  // A filter is no place to go back to; another destination is.
  if (chosen === page.chosen) history.replaceState(null, "", text);
  else history.pushState(null, "", text);
  readHash();
}

function choose(name) {
  go(name);
  if (narrow.matches) scrollTo(0, 0);
}
const filterBy = (filter) => go(page.chosen, filter, page.at, page.against);
/** Shows another moment, and what it is compared with. */
const seek = (at, against) => go(page.chosen, page.filter, at, against);
const past = new Past(ask, seek);
const matrix = new Matrix(ask, (name, at) => go(name, null, at));

/** Finds out which flows the filter is about; drops one whose node, link, path or flow is there no longer. */
function resolveFilter() {
  const { filter, topology } = page;
  if (!filter || !topology) return;
  const [destination] = topology.destinations;
  if (filter.kind === "path") {
    const path = destination.paths.find((one) => one.id === filter.id);
    if (!path) return void (page.filter = null);
    filter.path = path.id;
    filter.label = `path ${path.ordinal}`;
    filter.ports = new Set(destination.flows.filter((flow) => flow.path === path.id).map((flow) => flow.source_port));
  } else if (filter.kind === "flow") {
    const flow = destination.flows.find((one) => String(one.source_port) === filter.id);
    if (!flow) return void (page.filter = null);
    filter.label = `flow ${flow.source_port}`;
    filter.ports = new Set([flow.source_port]);
    filter.path = flow.path || undefined;
  } else {
    const found = view?.fan.resolve(filter);
    if (!found) return void (page.filter = null);
    filter.label = found.label;
    filter.ports = new Set(found.ports);
  }
}

// --- head: alive or not ---

function showState() {
  const live = byId("live");
  const state = page.failing ? "failing" : document.hidden ? "paused" : page.answered ? "live" : "waiting";
  set(live, { class: `live ${state}` });
  write(byId("live-text"), { failing: "no answer", paused: "paused", live: "live", waiting: "connecting" }[state]);
  const banner = byId("banner");
  banner.hidden = !page.failing;
  if (page.failing) {
    write(banner, `The agent has not answered since ${clock(page.failing)}. ` +
      (page.answered ? `What is shown is from ${clock(page.answered)}.` : "Nothing is known yet."));
  }
  document.body.classList.toggle("stale", Boolean(page.failing));
  if (page.summary) write(byId("version"), page.summary.version);
}

// --- overview ---

function showOverview() {
  const section = byId("overview");
  section.hidden = page.chosen !== null || !page.summary;
  if (section.hidden) return;
  const all = page.summary.destinations;
  const tell = (wanted) => all.filter(wanted).length;
  if (!section.firstChild) {
    section.append(element("h1", {}, "All destinations"), element("div", { class: "tiles" }), matrix.card,
      card("Worst now", element("ol", { class: "worst" })), card("Suspected links", element("ol", { class: "events suspects" })),
      card("Recent events", eventList()));
  }
  const lossy = tell((one) => one.state === "up" && badness(one) > 0);
  showTiles(section.querySelector(".tiles"), [
    ["Up", tell((one) => one.state === "up").toLocaleString("en"), `of ${count(all.length, "destination")}`, "up"],
    ["Down", tell((one) => one.state === "down").toLocaleString("en"), "no flow reaches", tell((one) => one.state === "down") ? "down" : ""],
    ["With loss", lossy.toLocaleString("en"), "on a path, in the window", lossy ? "loss-2" : ""],
    ["Paths in use", all.reduce((sum, one) => sum + one.paths_in_use, 0).toLocaleString("en"), `${all.reduce((sum, one) => sum + one.flow_count, 0).toLocaleString("en")} flows`, ""],
    ["Changes", all.reduce((sum, one) => sum + one.changes, 0).toLocaleString("en"), "of flows, since start", ""],
  ]);
  const worst = all.filter((one) => badness(one) > 0).sort((a, b) => badness(b) - badness(a) || (a.name < b.name ? -1 : 1)).slice(0, 8);
  const list = section.querySelector(".worst");
  sync(list, worst, (one) => one.name, (one) => {
    const link = element("button", { type: "button" }, element("span", { class: "mark", "aria-hidden": "true" }), element("span", { class: "name" }), element("span", { class: "why" }));
    link.addEventListener("click", () => choose(one.name));
    return element("li", {}, link);
  }, (item, one) => {
    const [mark, name, why] = item.firstChild.children;
    const { level, sign } = health(one);
    set(mark, { class: `mark ${level}` });
    write(mark, sign);
    write(name, one.name);
    write(why, one.state === "down" ? "down" : one.state === "unknown" ? one.unjudged.text : one.worst_path
      ? `path ${one.worst_path.ordinal} loses ${percent(one.worst_path.loss_ratio)} · ${count(one.paths_in_use, "path")}` : `loss ${percent(one.window.loss_ratio)}`);
  });
  set(list.parentElement, { "data-empty": worst.length ? null : "No destination is down and no path loses anything." });
  matrix.update(all);
  showSuspects(section.querySelector(".suspects"));
  showEvents(section.querySelector(".events:not(.suspects)"), true);
}

/** Links that lose, as all flows of all destinations tell: the worst first. */
function showSuspects(list) {
  const suspects = page.summary.suspected_links ?? [];
  sync(list, suspects, (one) => one.links.map(linkName).join(), () => element("li", { class: "timeless" }, element("span", { class: "kind" }), element("span", { class: "what" })), (item, one) => {
    const [kind, what] = item.children;
    set(kind, { class: `kind ${one.blamed ? "loss_verdict" : ""}` });
    write(kind, one.blamed ? "blamed" : one.until ? "loses no more" : one.uneven ? "some flows only" : "suspected");
    write(what, [one.links.map(linkName).join(" or "), `loses ${percent(one.loss_ratio)} (${between(one.loss_ratio_low, one.loss_ratio_high)})`,
      `${one.lossy_flows} of ${count(one.lossy_flows + one.clean_flows, "flow")} over it lose`, ...(one.direction ? [WAYS[one.direction]] : []),
      ...(one.since ? [`since ${clock(one.since)}`] : []), ...(one.until ? [`until ${clock(one.until)}`] : [])].join(" · "));
  });
  set(list.parentElement, { "data-empty": suspects.length ? null : "No link is suspected to lose anything." });
}

// --- one destination ---

const card = (title, ...content) => element("section", { class: "card", "aria-label": title }, element("h2", {}, title), ...content);
const eventList = () => element("ol", { class: "events" });
let view = null;

function buildDestination() {
  const section = byId("destination");
  const back = element("button", { type: "button", class: "back" }, "‹ All destinations");
  back.addEventListener("click", () => choose(null));
  const title = element("h1", {});
  const state = element("span", { class: "badge" });
  const facts = element("p", { class: "facts" });
  const labels = element("ul", { class: "labels", "aria-label": "Labels" });
  const tiles = element("div", { class: "tiles" });
  const chip = element("button", { type: "button", class: "chip", hidden: true });
  chip.addEventListener("click", () => filterBy(null));
  const box = element("div", { class: "fan-box" });
  const save = (text, act) => {
    const made = element("button", { type: "button", "aria-label": `Save the fan as ${text}` }, text);
    made.addEventListener("click", () => act(view.fan.svg, `${page.chosen}-fan`));
    return made;
  };
  const fanCard = card("Fan", chip, box, legend(), element("div", { class: "exports", role: "group", "aria-label": "Export the fan" }, save("SVG", saveSvg), save("PNG", savePng)));
  const backBox = element("div", { class: "fan-box" });
  const backCard = card("Way back", backBox, element("p", { class: "legend" }, element("span", { class: "hint" }, "The ways of replies, as the reflector reports them.")));
  backCard.hidden = true;
  const paths = tableCard("Paths", "paths", ["Path", "Flows", "Hops", "Loss", "RTT p50", "p95", "p99", "Jitter p95", "RTT p50 to p99", "Lost there", "Lost back"]);
  const flows = tableCard("Flows", "flows", ["Source port", "Path", "Last RTT", "Lost since start", "Changes"]);
  const events = card("Recent events", eventList());
  const gone = element("p", { class: "gone", hidden: true }, "This destination is not configured any more.");
  const unkept = element("p", { class: "gone", hidden: true, role: "status" }, "No rounds of that moment are kept: the fan, the paths and the flows of it are not known.");
  section.append(back, element("div", { class: "title" }, title, state), facts, labels, gone, unkept, tiles, fanCard, backCard, past.card,
    paths.card, flows.card, events);
  view = { title, state, facts, labels, tiles, chip, box, fanCard, paths, flows, events, gone, unkept, fan: new Fan(box, filterBy), backCard, backFan: new Fan(backBox, () => {}, "reflector") };
}

function legend() {
  const key = (name, text) => element("span", {}, element("i", { class: name, "aria-hidden": "true" }), text);
  return element("p", { class: "legend" }, key("loss-0", "no loss"), key("loss-1", "begins here, below 1 %"), key("loss-2", "below 5 %"),
    key("loss-3", "5 % and more"), key("guess", "silent hop"), element("span", { class: "hint" }, "Breadth is flows. Click a hop or a link to see its flows."));
}

function tableCard(title, name, heads) {
  const body = element("tbody");
  const table = element("table", { class: name }, element("caption", { class: "unseen" }, title),
    element("thead", {}, element("tr", {}, ...heads.map((head, index) => element("th", { scope: "col", class: index === 0 ? "" : "number" }, head)))), body);
  const hint = element("span", { class: "hint" });
  const made = card(title, element("div", { class: "wide", tabindex: 0, role: "region", "aria-label": title }, table));
  made.firstChild.append(" ", hint);
  return { card: made, body, hint };
}

function showTiles(box, tiles) {
  sync(box, tiles, ([name]) => name, () => element("div", { class: "tile" }, element("span", { class: "tile-name" }),
    element("strong"), element("span", { class: "tile-more" })), (tile, [name, value, more, level]) => {
    set(tile, { class: `tile ${level}` });
    write(tile.children[0], name);
    write(tile.children[1], value);
    write(tile.children[2], more);
  });
}

function showDestination() {
  const section = byId("destination");
  section.hidden = page.chosen === null;
  if (section.hidden) return;
  if (!view) buildDestination();
  const one = page.topology?.destinations[0] ?? page.summary?.destinations.find(({ name }) => name === page.chosen);
  write(view.title, page.chosen);
  view.gone.hidden = !page.gone;
  view.unkept.hidden = !page.unkept;
  past.card.hidden = page.gone;
  if (!page.gone) past.update(page);
  const known = Boolean(one) && !page.gone;
  for (const part of [view.tiles, view.fanCard, view.paths.card, view.flows.card, view.events, view.facts, view.labels, view.state])
    part.hidden = !known;
  for (const part of [view.tiles, view.fanCard, view.paths.card, view.flows.card]) part.hidden ||= page.unkept;
  if (!known || page.unkept || page.at !== null) view.backCard.hidden = true;
  if (!known) return;
  const { level, text, sign } = health(one);
  set(view.state, { class: `badge ${level}` });
  write(view.state, `${sign} ${text}`);
  write(view.facts, [one.address || "not resolved", one.host !== one.address ? one.host : "", protocol(one),
    `every ${time(one.interval_ns).replace(/\.0+ /, " ")}`].filter(Boolean).join("  ·  "));
  sync(view.labels, Object.entries(one.labels), ([key]) => key, () => element("li"), (item, [key, value]) => write(item, `${key} = ${value}`));
  const { window } = one;
  const ways = one.reflector && one.paths ? directions([...one.paths, ...(one.reverse_paths ?? [])]) : null;
  const rest = (figures) => figures ? `p95 ${time(figures.p95)}\np99 ${time(figures.p99)}` : "nothing yet";
  showTiles(view.tiles, [
    ["Loss", percent(window.loss_ratio), `${window.losses.toLocaleString("en")} of ${window.probes.toLocaleString("en")}\nin the window`, `loss-${severity(window.loss_ratio)}`],
    ["Worst path", one.worst_path ? percent(one.worst_path.loss_ratio) : "–", one.worst_path ? `path ${one.worst_path.ordinal}\n${count(one.worst_path.flows, "flow")}` : "no path loses\nanything", `loss-${severity(one.worst_path?.loss_ratio)}`],
    ["Paths in use", String(one.paths_in_use), `${count(one.flow_count, "flow")}\n${one.paths_refused ? "limit reached" : one.balance?.crosswise?.length ? "a mesh, or TTLs are hashed" : ""}`, ""],
    ["Coverage", share(one.coverage), found(one.search), ""],
    ["RTT p50", time(window.rtt_ns?.p50), rest(window.rtt_ns), ""],
    ["Jitter p50", time(window.jitter_ns?.p50), rest(window.jitter_ns), ""],
    ["Changes", one.changes.toLocaleString("en"), "of flows\nsince the start", ""],
    ...(ways ? [wayTile("Way there", ways.forward), wayTile("Way back", ways.reverse), ...(ways.unresolved.packets ? [wayTile("Round trip", ways.unresolved)] : []), reflectorTile(one.reflector)] : []),
  ]);
  if (!page.topology) return;  // as yet only the overview has come, which is without the graph
  // First the graph, since the filter may be about it; it is dimmed by what comes of that.
  view.fan.update(page.topology, null);
  resolveFilter();
  view.fan.update(page.topology, page.filter);
  showWayBack();
  view.fanCard.classList.toggle("empty", !page.topology.nodes.length);
  view.chip.hidden = !page.filter;
  write(view.chip, page.filter ? `${page.filter.label} · ${count(page.filter.ports.size, "flow")}  ✕` : "");
  set(view.chip, { "aria-label": page.filter ? `Filtered by ${page.filter.label}; show all flows` : null });
  showPaths(one);
  showFlows(one);
  showEvents(view.events.lastChild, false);
}

/** Below the way there, so that both directions are seen together. */
function showWayBack() {
  const back = wayBack(page.topology);
  view.backCard.hidden = !back;
  if (back) view.backFan.update(back, page.filter && { ...page.filter, path: null });
}

/** A row that can be chosen by click and by Enter. */
function row(kind, id, cells) {
  const made = element("tr", { tabindex: 0 }, ...cells);
  const pick = () => filterBy(page.filter?.kind === kind && page.filter.id === id ? null : { kind, id });
  made.addEventListener("click", pick);
  made.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    pick();
  });
  return made;
}

const cells = (number) => Array.from({ length: number }, (_, index) => element("td", { class: index === 0 ? "" : "number" }));

function showPaths(one) {
  const slowest = Math.max(...one.paths.map((path) => path.window.rtt_ns?.p99 ?? 0), 1);
  const matches = (path) => !page.filter || one.flows.some((flow) => flow.path === path.id && page.filter.ports.has(flow.source_port));
  // What loses comes first, what is out of use last.
  const rank = (path) => [path.flows ? 0 : 1, -(path.window.loss_ratio ?? 0), path.ordinal];
  const shown = one.paths.filter(matches).sort((a, b) => rank(a).map((value, index) => value - rank(b)[index]).find((value) => value) ?? 0);
  write(view.paths.hint, shown.length < one.paths.length ? `${shown.length} of ${one.paths.length}` : String(one.paths.length));
  for (const head of [...view.paths.body.parentElement.tHead.rows[0].cells].slice(9)) head.hidden = !one.reflector;
  sync(view.paths.body, shown, (path) => path.id, (path) => {
    const made = row("path", path.id, [element("th", { scope: "row" }), ...cells(11).slice(1)]);
    made.children[8].append(element("div", { class: "span", "aria-hidden": "true" }, element("i")));
    return made;
  }, (made, path) => {
    const { window } = path, rtt = window.rtt_ns;
    set(made, { class: `${path.flows ? "" : "unused"}${page.filter?.path === path.id ? " chosen" : ""}`, "aria-selected": page.filter?.path === path.id ? "true" : null });
    const texts = [`${path.ordinal}  ${path.id}`, String(path.flows), `${path.length}${path.complete ? "" : " +?"}`, percent(window.loss_ratio),
      time(rtt?.p50), time(rtt?.p95), time(rtt?.p99), time(window.jitter_ns?.p95)];
    texts.forEach((text, index) => write(made.children[index], text));
    set(made.children[0], { class: "mono" });
    set(made.children[3], { class: `number loss loss-${severity(window.loss_ratio)}` });
    ["forward", "reverse"].forEach((way, index) => {
      const ratio = path.oneway?.[way]?.window.loss_ratio ?? null;
      const cell = made.children[9 + index];
      cell.hidden = !one.reflector;
      write(cell, percent(ratio));
      set(cell, { class: `number loss loss-${severity(ratio)}` });
    });
    const bar = made.children[8].firstChild.firstChild;
    bar.style.left = `${(100 * (rtt?.p50 ?? 0)) / slowest}%`;
    bar.style.width = rtt ? `max(3px, ${(100 * (rtt.p99 - rtt.p50)) / slowest}%)` : "0";
  });
}

function showFlows(one) {
  const shown = one.flows.filter((flow) => !page.filter || page.filter.ports.has(flow.source_port));
  write(view.flows.hint, shown.length < one.flows.length ? `${shown.length} of ${one.flows.length}` : String(one.flows.length));
  sync(view.flows.body, shown, (flow) => flow.source_port, (flow) =>
    row("flow", String(flow.source_port), [element("th", { scope: "row" }), ...cells(5).slice(1)]), (made, flow) => {
    const chosen = page.filter?.kind === "flow" && page.filter.id === String(flow.source_port);
    set(made, { class: chosen ? "chosen" : "", "aria-selected": chosen ? "true" : null });
    const lost = flow.probes - flow.replies;
    const ratio = flow.probes ? lost / flow.probes : null;
    const texts = [String(flow.source_port), flow.path_ordinal ? String(flow.path_ordinal) : "–",
      !flow.newest ? "–" : flow.newest.reached ? time(flow.newest.rtt_ns) : unjudged(flow.newest) ?? "✕ lost", `${percent(ratio)}  (${lost} of ${flow.probes})`, String(flow.changes)];
    texts.forEach((text, index) => write(made.children[index], text));
    set(made.children[2], { class: `number${flow.newest && !flow.newest.reached && !unjudged(flow.newest) ? " loss loss-3" : ""}` });
    set(made.children[3], { class: `number loss loss-${severity(ratio)}` });
  });
}


/** What a round says that was not judged, since the destination limits its answers; nothing of other rounds. */
const unjudged = (newest) => ({ suppressed: "limited", left_out: "not asked", undecided: "undecided" })[newest.outcome];
function showEvents(list, withNames) {
  const shown = page.filter ? page.events.filter((event) => !event.flows.length || event.flows.some((flow) => page.filter.ports.has(flow))) : page.events;
  sync(list, shown, (event) => event.id, () => element("li", {}, element("time"), element("span", { class: "kind" }), element("span", { class: "what" })), (item, event) => {
    const [when, kind, what] = item.children;
    set(when, { datetime: event.time });
    write(when, clock(event.time));
    set(kind, { class: `kind ${event.kind}` });
    write(kind, KINDS[event.kind] ?? event.kind);
    const named = (addresses) => addresses.map((address) => event.names[address] ? `${shorten(event.names[address], 40)} (${address})` : address).join(", ") || "none known";
    const told = [];
    if (withNames && event.destination) told.push(event.destination);
    if (event.phase) told.push(...finding(event));
    else if (event.reflector) told.push(event.kind === "reflector_mode" ? `${event.reflector_before.mode} before, ${event.reflector.mode} now` : `${count(event.reflector.restarts, "restart")} since the start`);
    else if (event.ttl) told.push(`hop ${event.ttl}: ${named(event.before)} → ${named(event.after)}`);
    if (event.flows.length) told.push(`${count(event.flows.length, "flow")} (${ports(event.flows)})`);
    write(what, told.join(" · "));
  });
  set(list.parentElement, { "data-empty": shown.length ? null : "Nothing has changed since the agent was started." });
}

function show() {
  showState();
  if (page.summary) destinations.update(page.summary.destinations);
  showOverview();
  showDestination();
  document.title = page.chosen === null ? "ecmp_exporter" : `${page.chosen} – ecmp_exporter`;
}

// --- theme and keys ---

const THEMES = { auto: "◐ auto", light: "☀ light", dark: "☾ dark" };

function remembered() {
  try {
    return localStorage.getItem("theme");
  } catch {
    return null;  // storage may be switched off
  }
}

function setTheme(theme) {
  set(document.documentElement, { "data-theme": theme === "auto" ? null : theme });
  write(byId("theme"), THEMES[theme]);
  set(byId("theme"), { "aria-label": `Colours: ${theme}; change`, "data-now": theme });
  try {
    localStorage.setItem("theme", theme);
  } catch {
    // then it lasts as long as the page
  }
}

const narrow = matchMedia("(max-width: 860px)");
const destinations = new List({ list: byId("list"), rows: byId("rows"), search: byId("search"), sort: byId("sort"), counter: byId("count") }, choose);

setTheme(Object.hasOwn(THEMES, remembered() ?? "") ? remembered() : "auto");
byId("theme").addEventListener("click", () => {
  const all = Object.keys(THEMES);
  setTheme(all[(all.indexOf(byId("theme").dataset.now) + 1) % all.length]);
});
byId("home").addEventListener("click", (event) => {
  event.preventDefault();
  choose(null);
});
byId("skip").addEventListener("click", (event) => {
  event.preventDefault();  // the address is for what is chosen
  byId("details").focus();
});
addEventListener("hashchange", readHash);
document.addEventListener("visibilitychange", () => {
  showState();
  poll();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) {
    event.preventDefault();
    byId("search").focus();
  } else if (event.key === "Escape" && !event.defaultPrevented && event.target !== byId("search")) {
    if (page.filter) filterBy(null);
    else if (page.at !== null || page.against !== null) seek(null, null);
    else if (page.chosen !== null) {
      choose(null);
      byId("list").focus();
    }
  }
});
readHash();
