// The fan of one destination as a drawing needs it: nodes in columns by TTL, ordered so that few links cross.
import { severity } from "./text.js";

/** Loss at the far end of a link that cannot be by chance alone, given that at its near end. */
function begins(window) {
  const { probes, losses, near_probes: nearProbes, near_losses: nearLosses } = window;
  if (!losses || !probes) return false;
  if (!nearProbes) return true;
  const difference = losses / probes - nearLosses / nearProbes;
  const all = (losses + nearLosses) / (probes + nearProbes);
  const deviation = Math.sqrt(all * (1 - all) * (1 / probes + 1 / nearProbes));
  return difference > 1.64 * deviation && difference > 0;  // one in twenty
}

/** The share of these flows whose newest round was lost. */
function lostNow(sourcePorts, flows) {
  const newest = sourcePorts.map((port) => flows.get(port)?.newest).filter(Boolean);
  return newest.length ? newest.filter((round) => !round.reached).length / newest.length : 0;
}

function takeLinks(topology, flows, links) {
  for (const link of topology.links) {
    const { window } = link;
    const here = begins(window);
    const added = here ? window.losses / window.probes - (window.near_probes ? window.near_losses / window.near_probes : 0) : 0;
    const now = here ? lostNow(link.source_ports, flows) : 0;
    links.set(`${link.from}>${link.to}`, {
      ...link, id: `${link.from}>${link.to}`, known: true, added, now, severity: severity(Math.max(added, now)),
    });
  }
}

/** What is not known of a path is drawn too: hops that never answered, and the end of a path that leads nowhere. */
function takeGaps(destination, nodes, links) {
  const order = new Map(destination.flows.map((flow) => [flow.source_port, flow]));
  for (const path of destination.paths) {
    if (path.flows === 0) continue;
    const sourcePorts = [...order.values()].filter((flow) => flow.path === path.id).map((flow) => flow.source_port);
    const byTtl = new Map();
    for (const id of path.nodes) {
      const ttl = Number(id.slice(0, id.indexOf("/")));
      byTtl.set(ttl, [...(byTtl.get(ttl) ?? []), id]);
    }
    const last = path.complete ? path.length : Math.max(0, ...byTtl.keys()) + 1;
    const source = [...nodes.values()].find((node) => node.role === "source" && node.ttl === 0);
    let near = source ? [source.id] : [];
    for (let ttl = 1; ttl <= last; ++ttl) {
      let here = byTtl.get(ttl);
      if (!here) {
        let far = ttl + 1;
        while (far <= last && !byTtl.has(far)) ++far;
        const id = `${ttl}?${near[0] ?? ""}|${byTtl.get(far)?.[0] ?? ""}`;
        const gap = nodes.get(id) ?? {
          id, ttl, role: "unknown", address: "", name: "", flows: 0, window: null, mpls: [], paths: new Set(),
          ends: !byTtl.has(far),
        };
        gap.flows += path.flows;
        nodes.set(id, gap);
        here = [id];
      }
      for (const id of here) nodes.get(id)?.paths.add(path.id);
      for (const from of near) {
        for (const to of here) {
          if (nodes.get(from)?.role !== "unknown" && nodes.get(to)?.role !== "unknown") continue;
          const id = `${from}>${to}`;
          const link = links.get(id) ?? {
            id, from, to, ttl, flows: 0, source_ports: [], known: false, severity: 0, added: 0, now: 0, window: null,
          };
          link.flows += path.flows;
          link.source_ports = [...link.source_ports, ...sourcePorts].sort((a, b) => a - b);
          links.set(id, link);
        }
      }
      near = here;
    }
    if (source) source.paths.add(path.id);
  }
}

/** Nodes and links of a destination from /topology?destination=. */
export function graphOf(topology) {
  const destination = topology.destinations[0];
  const flows = new Map(destination.flows.map((flow) => [flow.source_port, flow]));
  const nodes = new Map(topology.nodes.map((node) => [node.id, { ...node, paths: new Set() }]));
  const links = new Map();
  takeLinks(topology, flows, links);
  takeGaps(destination, nodes, links);
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
  const wish = (node) => {
    let sum = 0, weight = 0;
    for (const [links, end] of [[node.into, "from"], [node.out, "to"]]) {
      for (const link of links) {
        sum += byId.get(link[end]).y * link.flows;
        weight += link.flows;
      }
    }
    return weight ? sum / weight : node.y;
  };
  for (let turn = 0; turn < 12; ++turn) {
    for (const column of turn % 2 === 0 ? columns : [...columns].reverse()) {
      const wanted = column.map(wish);
      let drift = 0;
      column.forEach((node, row) => {
        node.y = row === 0 ? wanted[0] : Math.max(wanted[row], column[row - 1].y + step);
        drift += node.y - wanted[row];
      });
      for (const node of column) node.y -= drift / column.length;
    }
  }
  // A column that reaches beyond the widest one is pulled in: a drawing is no taller than it has to be.
  const half = Math.max(...columns.map((column) => ((column.length - 1) / 2) * step), 0);
  for (const column of columns) {
    if (!column.length) continue;
    const over = Math.max(0, column.at(-1).y - half) + Math.min(0, column[0].y + half);
    for (const node of column) node.y -= over;
  }
}
