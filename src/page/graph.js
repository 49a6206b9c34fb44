// The fan of one destination as a drawing needs it: nodes in columns by TTL, ordered so that few links cross.
import { severity } from "./text.js";

/** Loss is drawn on the links where it begins: the agent says at which hop a path shows it first. */
function takeLoss(destination, nodes, links, flows) {
  for (const link of links.values()) {
    const over = new Set(link.source_ports.map((port) => flows.get(port)?.path));
    let probes = 0, losses = 0;
    const here = [];
    const gap = nodes.get(link.to)?.role === "unknown";
    for (const path of destination.paths) {
      if (!over.has(path.id)) continue;
      probes += path.window.probes;
      if (path.loss_begins !== link.to && !(gap && path.loss_begins === `${link.ttl}/`)) continue;
      losses += path.window.losses;
      here.push(path.id);
    }
    // The window is minutes long; what is lost right now counts as well.
    const newest = link.source_ports.map((port) => flows.get(port)).filter((flow) => flow?.newest);
    const lost = newest.filter((flow) => here.includes(flow.path) && !flow.newest.reached);
    link.loss = probes ? losses / probes : 0;
    link.now = newest.length ? lost.length / newest.length : 0;
    link.severity = severity(Math.max(link.loss, link.now));
  }
}

/** What no answer has shown of the paths is drawn too: hops that never answered, and the ends of paths that lead nowhere. */
function takeGaps(gaps, nodes, links) {
  for (const gap of gaps.nodes) {
    nodes.set(gap.id, {
      ...gap, role: "unknown", address: "", name: "", window: null, mpls: [], paths: new Set(gap.paths),
      ends: gap.kind === "dead_end",
    });
  }
  for (const link of gaps.links) links.set(linkId(link), { ...link, id: linkId(link), known: false, window: null });
}

const linkId = (link) => `${link.from}>${link.to}`;

/** Nodes and links of a destination from /topology?destination=. */
export function graphOf(topology) {
  const destination = topology.destinations[0];
  const flows = new Map(destination.flows.map((flow) => [flow.source_port, flow]));
  const nodes = new Map(topology.nodes.map((node) => [node.id, { ...node, paths: new Set() }]));
  const links = new Map();
  for (const path of destination.paths)
    if (path.flows) for (const id of path.nodes) nodes.get(id)?.paths.add(path.id);
  for (const flow of destination.flows)
    if (flow.path) nodes.get(`0/${flow.source}`)?.paths.add(flow.path);
  for (const link of topology.links) links.set(linkId(link), { ...link, id: linkId(link), known: true });
  takeGaps(destination.gaps, nodes, links);
  takeLoss(destination, nodes, links, flows);
  for (const link of [...links.values()])
    if (!nodes.has(link.from) || !nodes.has(link.to)) links.delete(link.id);
  const refusals = new Map();
  for (const refusal of destination.unreachable_replies)
    refusals.set(refusal.address, [...(refusals.get(refusal.address) ?? []), refusal]);
  for (const node of nodes.values()) {
    node.refusals = refusals.get(node.address) ?? [];
    node.into = [];
    node.out = [];
  }
  for (const link of links.values()) {
    nodes.get(link.to).into.push(link);
    nodes.get(link.from).out.push(link);
  }
  return { nodes, links, flows: destination.flows.length };
}

/** Changes exactly when the order has to be worked out anew: what moves about on every update cannot be read. */
export const shapeOf = (graph) => [...graph.nodes.keys()].sort().join() + "#" + [...graph.links.keys()].sort().join();

/** The nodes of each TTL from top to bottom. */
export function columnsOf(graph, ordinals) {
  const columns = [];
  for (const node of graph.nodes.values()) (columns[node.ttl] ??= []).push(node);
  for (let ttl = 0; ttl < columns.length; ++ttl) columns[ttl] ??= [];
  const first = (node) => Math.min(...[...node.paths].map((path) => ordinals.get(path) ?? 1e9), 1e9);
  for (const column of columns) column.sort((a, b) => first(a) - first(b) || (a.id < b.id ? -1 : 1));
  const place = new Map();
  const number = () => columns.forEach((column) =>
    column.forEach((node, row) => place.set(node.id, row - (column.length - 1) / 2)));
  number();
  const mean = (links, end) => {
    let sum = 0, weight = 0;
    for (const link of links) {
      sum += place.get(link[end]) * link.flows;
      weight += link.flows;
    }
    return weight ? sum / weight : null;
  };
  // Sugiyama's way: each column by the mean place of what its nodes are joined to, forth and back.
  for (let sweep = 0; sweep < 8; ++sweep) {
    const forth = sweep % 2 === 0;
    for (const column of forth ? columns : [...columns].reverse()) {
      const wish = new Map(column.map((node) =>
        [node.id, (forth ? mean(node.into, "from") : mean(node.out, "to")) ?? place.get(node.id)]));
      column.sort((a, b) => wish.get(a.id) - wish.get(b.id) || place.get(a.id) - place.get(b.id));
      column.forEach((node, row) => place.set(node.id, row - (column.length - 1) / 2));
    }
  }
  return columns;
}

/** Sets y of every node, `step` apart at least, each as near as it can be to what it is joined to. */
export function placeRows(columns, step) {
  for (const column of columns)
    column.forEach((node, row) => { node.y = (row - (column.length - 1) / 2) * step; });
  const byId = new Map(columns.flat().map((node) => [node.id, node]));
  const fullest = Math.max(...columns.map((column) => column.length));
  const wish = (node) => {
    const near = [...node.into.map((link) => byId.get(link.from)), ...node.out.map((link) => byId.get(link.to))];
    return near.length ? near.reduce((sum, one) => sum + one.y, 0) / near.length : node.y;
  };
  // The fullest columns stand still and evenly; the others lean on them.
  const loose = columns.filter((column) => column.length && column.length < fullest);
  for (let turn = 0; turn < 16; ++turn) {
    for (const column of turn % 2 === 0 ? loose : [...loose].reverse()) {
      const wanted = column.map(wish);
      let drift = 0;
      column.forEach((node, row) => {
        node.y = row === 0 ? wanted[0] : Math.max(wanted[row], column[row - 1].y + step);
        drift += node.y - wanted[row];
      });
      for (const node of column) node.y -= drift / column.length;
      const half = ((fullest - 1) / 2) * step;
      const over = Math.max(0, column.at(-1).y - half) + Math.min(0, column[0].y + half);
      for (const node of column) node.y -= over;
    }
  }
}
