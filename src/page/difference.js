// What is another between two moments of a destination.
import { count, percent, ports, time } from "./text.js";

const linkKey = (link) => `${link.from} → ${link.to}`;
const plus = (text, value) => `${value > 0 ? "+" : value < 0 ? "−" : "±"}${text}`;

/** Rows of [what, text] from two answers of /topology. */
export function differenceOf(before, after) {
  const [old, now] = [before.destinations[0], after.destinations[0]];
  const used = (one) => new Map(one.paths.filter((path) => path.flows).map((path) => [path.id, path]));
  const [oldPaths, nowPaths] = [used(old), used(now)];
  const named = (list) => list.map((path) => `path ${path.ordinal} (${path.id})`).join(", ") || "none";
  const rows = [["Paths gone", named([...oldPaths.values()].filter((path) => !nowPaths.has(path.id)))],
    ["Paths new", named([...nowPaths.values()].filter((path) => !oldPaths.has(path.id)))]];
  const on = new Map(old.flows.map((flow) => [flow.source_port, flow.path]));
  const moved = now.flows.filter((flow) => on.get(flow.source_port) && flow.path && on.get(flow.source_port) !== flow.path);
  rows.push(["Flows moved", moved.length ? `${count(moved.length, "flow")} (${ports(moved.map((flow) => flow.source_port).sort((a, b) => a - b))})` : "none"]);
  const [loss, lossBefore] = [now.window.loss_ratio ?? 0, old.window.loss_ratio ?? 0];
  rows.push(["Loss", `${percent(lossBefore)} → ${percent(loss)}`]);
  if (old.window.rtt_ns && now.window.rtt_ns) {
    const delta = now.window.rtt_ns.p50 - old.window.rtt_ns.p50;
    rows.push(["RTT p50", `${time(old.window.rtt_ns.p50)} → ${time(now.window.rtt_ns.p50)} (${plus(time(Math.abs(delta)), delta)})`]);
  }
  const rtts = (answer) => new Map(answer.nodes.map((node) => [node.id, node.window.rtt_ns?.p50]));
  const [oldRtt, nowRtt] = [rtts(before), rtts(after)];
  const links = new Map(before.links.map((link) => [linkKey(link), link]));
  const changed = [];
  for (const link of after.links) {
    const earlier = links.get(linkKey(link));
    links.delete(linkKey(link));
    if (!earlier) {
      changed.push([2, linkKey(link), "new"]);
      continue;
    }
    const lost = (link.window.loss_ratio ?? 0) - (earlier.window.loss_ratio ?? 0);
    const [a, b] = [oldRtt.get(link.to), nowRtt.get(link.to)];
    const slower = a && b ? b - a : 0;
    const far = Math.abs(slower) > Math.max(0.2 * (a ?? 0), 1e6);
    if (Math.abs(lost) < 0.005 && !far) continue;
    changed.push([Math.abs(lost) + (far ? 0.01 : 0), linkKey(link), [Math.abs(lost) >= 0.005 ? `loss ${plus(percent(Math.abs(lost)), lost)}` : "", far ? `RTT ${plus(time(Math.abs(slower)), slower)}` : ""].filter(Boolean).join(", ")]);
  }
  for (const link of links.values()) changed.push([2, linkKey(link), "gone"]);
  changed.sort((a, b) => b[0] - a[0]);
  rows.push(...changed.slice(0, 12).map(([, link, text]) => [link, text]));
  if (changed.length > 12) rows.push(["", `and ${count(changed.length - 12, "further link")}`]);
  return rows;
}
