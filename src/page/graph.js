// The fan of one destination as a drawing needs it: nodes in columns by TTL, ordered so that few links cross.
import { severity } from "./text.js";

/** Loss is drawn on the links where it begins: the agent says at which hop a path shows it first. */
function takeLoss(destination, nodes, links, flows) {
  for (const link of links.values()) {
    const over = new Set(link.source_ports.map((port) => flows.get(port)?.path));
    let probes = 0, losses = 0;
    const here = [];
    const { ends } = nodes.get(link.to) ?? {};
    for (const path of destination.paths) {
      if (!over.has(path.id)) continue;
      probes += path.window.probes;
      if (path.loss_begins !== link.to && !(ends && path.loss_begins === `${link.ttl}/`)) continue;
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
            id, from, to, ttl, flows: 0, source_ports: [], known: false, window: null,
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
  for (const link of topology.links) links.set(`${link.from}>${link.to}`, { ...link, id: `${link.from}>${link.to}`, known: true });
  takeGaps(destination, nodes, links);
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
