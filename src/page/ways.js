// Words for events and findings, and figures of each direction.
import { count, percent, severity, time } from "./text.js";

export const KINDS = { reroute: "rerouted", remap: "remapped", width: "width changed", per_packet: "balanced per packet", down: "down", up: "up again",
  loss_verdict: "link loses", delay_verdict: "link slower", imbalance: "spread unevenly", polarised: "polarised",
  oneway_loss: "loses one way", reflector_restart: "reflector restarted", reflector_mode: "reflector changed" };

export const linkName = (link) => `${link.from} → ${link.to}`;
export const between = (low, high) => `${percent(low)} to ${percent(high)}`;

export const WAYS = { forward: "on the way there", reverse: "on the way back" };

/** What a finding says. */
export function finding(event) {
  const told = event.phase === "end" ? ["no longer"] : [];
  if (event.loss) {
    told.push(event.loss.links.map(linkName).join(" or "), `loses ${percent(event.loss.loss_ratio)} (${between(event.loss.loss_ratio_low, event.loss.loss_ratio_high)})`,
      `${event.loss.lossy_flows} of ${count(event.loss.lossy_flows + event.loss.clean_flows, "flow")} over it lose`);
    if (event.loss.direction) told.push(WAYS[event.loss.direction]);
    else if (!event.loss.forward_consistent) told.push("perhaps on the way back");
  }
  if (event.delay) told.push(linkName(event.delay.link), `${time(event.delay.before_ns)} before, ${time(event.delay.now_ns)} now`);
  if (event.branching) told.push(`at ${event.branching.address}: ${event.branching.next_hops.map((next) => `${next.address} ${next.flows}`).join(", ")}`);
  if (event.polarisation) told.push(`${event.polarisation.second} follows ${event.polarisation.first}: ${event.polarisation.pairs} of ${event.polarisation.possible} pairs of next hops used`);
  if (event.oneway) told.push(`path ${event.oneway.path} ${WAYS[event.oneway.direction]}`, `${percent(event.oneway.loss_ratio)} (${between(event.oneway.loss_ratio_low, event.oneway.loss_ratio_high)}) of ${event.oneway.packets.toLocaleString("en")} packets`);
  return told;
}

/** What streams say of all paths in each direction, within the window. */
export function directions(paths) {
  const sum = { forward: { packets: 0, losses: 0, p95: null, delay: null }, reverse: { packets: 0, losses: 0, p95: null, delay: null }, unresolved: { packets: 0, losses: 0, p95: null, delay: null } };
  for (const { oneway } of paths) {
    for (const way of oneway ? Object.keys(sum) : []) {
      const figures = oneway[way]?.window;
      if (!figures) continue;
      sum[way].packets += figures.packets;
      sum[way].losses += figures.losses;
      if (figures.delay_ns) sum[way].delay = Math.max(sum[way].delay ?? 0, figures.delay_ns.p50);
      if (figures.delay_variation_ns) sum[way].p95 = Math.max(sum[way].p95 ?? 0, figures.delay_variation_ns.p95);
    }
  }
  return sum;
}

export function wayTile(name, way) {
  const ratio = way.packets ? way.losses / way.packets : null;
  return [name, percent(ratio), way.packets ? `${way.losses.toLocaleString("en")} of ${way.packets.toLocaleString("en")}${way.delay === null ? "" : `\ntakes ${time(way.delay)}`}${way.p95 === null ? "" : `\nvaries by ${time(way.p95)}`}` : "not known", `loss-${severity(ratio)}`];
}

const SHOWS = { stateful: "shows both\ndirections", stateless: "shows round\ntrips only", unknown: "not known\nwhat it shows" };

export function reflectorTile(reflector) {
  return ["Reflector", { true: "up", false: "silent" }[reflector.up] ?? "–", `${SHOWS[reflector.mode]}${reflector.restarts ? `\n${count(reflector.restarts, "restart")}` : ""}`, reflector.up === false ? "loss-3" : ""];
}

/** The fan of the ways back that the reflector has reported, as /topology has that of the ways there; null without any. */
export function wayBack(topology) {
  const one = topology.destinations[0];
  const known = (one.reverse_paths ?? []).filter((path) => path.routers);
  if (!known.length) return null;
  const agent = one.flows.find((flow) => flow.source)?.source ?? "";
  const nodes = new Map(), links = new Map(), paths = [], flows = [];
  const gaps = { nodes: new Map(), links: new Map() };
  const node = (ttl, address, role, ports) => {
    const id = `${ttl}/${address}`;
    const made = nodes.get(id) ?? { id, ttl, address, name: topology.nodes.find((other) => other.address === address)?.name ?? "", role, flows: 0,
      window: { probes: 0, losses: 0, silences: 0, loss_ratio: null, rtt_ns: null, jitter_ns: null }, mpls: [] };
    made.flows += ports.length;
    if (role === "source") made.words = `the reflector, answering from ${address}`;
    if (role === "destination") made.words = `this agent, at ${address}`;
    nodes.set(id, made);
    return id;
  };
  const gap = (ttl, hops, path) => {
    const before = hops.findLastIndex((address, at) => at < ttl && address);
    const behind = hops.findIndex((address, at) => at > ttl && (address || at === hops.length - 1));
    const id = `${ttl}?${before}/${hops[before]}|${behind}/${hops[behind]}`;
    const made = gaps.nodes.get(id) ?? { id, ttl, kind: "silent", flows: 0, paths: [] };
    made.flows += path.flows.length;
    made.paths.push(path.id);
    gaps.nodes.set(id, made);
    return id;
  };
  const suspects = (topology.suspected_links ?? []).filter((link) => link.direction === "reverse" && link.blamed).flatMap((link) => link.links);
  known.forEach((path, index) => {
    const window = path.oneway.reverse?.window;
    const hops = [one.address, ...path.routers, agent];
    const ids = hops.map((address, ttl) => ttl === 0 ? node(ttl, address, "source", path.flows)
      : ttl === hops.length - 1 ? node(ttl, address, "destination", path.flows)
      : address ? node(ttl, address, "hop", path.flows) : gap(ttl, hops, path));
    const seen = ids.filter((id) => nodes.has(id));
    const begins = seen.find((to, at) => at > 0 && suspects.some((link) =>
      seen[at - 1].endsWith(`/${link.from}`) && to.endsWith(`/${link.to}`))) ?? null;
    for (let ttl = 1; ttl < ids.length; ++ttl) {
      const [from, to] = [ids[ttl - 1], ids[ttl]];
      const into = nodes.has(from) && nodes.has(to) ? links : gaps.links;
      const link = into.get(`${from}>${to}`) ?? { from, to, ttl, flows: 0, source_ports: [], window: { probes: 0, losses: 0, loss_ratio: null } };
      link.flows += path.flows.length;
      link.source_ports = [...link.source_ports, ...path.flows].sort((a, b) => a - b);
      into.set(`${from}>${to}`, link);
    }
    paths.push({ id: path.id, ordinal: index + 1, flows: path.flows.length, length: path.routers.length + 1, complete: true, nodes: seen, loss_begins: begins,
      window: { probes: window?.packets ?? 0, losses: window?.losses ?? 0 } });
    for (const port of path.flows) flows.push({ source_port: port, source: one.address, path: path.id, newest: null });
  });
  const concluded = { nodes: [...gaps.nodes.values()], links: [...gaps.links.values()] };
  return { destinations: [{ ...one, paths, flows, gaps: concluded, unreachable_replies: [] }], nodes: [...nodes.values()], links: [...links.values()] };
}
