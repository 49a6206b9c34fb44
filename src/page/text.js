// Figures as people read them, and elements made of text only: nothing that came from a network is ever read as markup.

/** Nanoseconds as "312 µs", "1.50 ms", "23.4 ms", "1.20 s"; an en dash for none. */
export function time(ns) {
  if (ns === null || ns === undefined) return "–";
  const units = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"]];
  const [size, unit] = units.find(([least]) => ns >= least) ?? [1e3, "µs"];
  const value = ns / size;
  return `${value.toFixed(value >= 99.95 || unit === "µs" ? 0 : value >= 9.995 ? 1 : 2)} ${unit}`;
}

/** A share of 1 as per cent. A loss must not look like none, nor less than everything like everything. */
export function percent(ratio) {
  if (ratio === null || ratio === undefined) return "–";
  if (ratio <= 0) return "0 %";
  const value = ratio * 100;
  if (value < 0.01) return "< 0.01 %";
  if (value < 1) return `${value.toFixed(2)} %`;
  if (value < 10) return `${value.toFixed(1)} %`;
  return `${ratio < 1 ? Math.min(99, Math.round(value)) : 100} %`;
}

/** A share of 1 as per cent, rounded down: 95 % are not claimed by less. */
export function share(ratio) {
  if (ratio === null || ratio === undefined) return "–";
  return `${(Math.floor(ratio * 1000) / 10).toFixed(1)} %`;
}

/** How far the search for paths is, or what it came to; in two lines. */
export function found(search) {
  if (!search) return "by a fixed number\nof flows";
  const paths = count(search.paths, "path");
  if (search.searching && !search.finished)
    return `discovering: ${paths}\n${count(search.flows_asked, "flow")} asked, ${Math.min(99, Math.floor(search.done * 100))} %`;
  const balanced = search.per_packet.length ? `\nper packet at hop ${search.per_packet.map((place) => place.ttl).join(", ")}` : "";
  return `${paths} found, ${search.flows_asked} flows asked\n${search.flows_kept} kept${search.bounded ? ", no more allowed" : ""}${balanced}`;
}

export function count(number, one, many = `${one}s`) {
  return `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
}

/** "16:41:03" in the reader's own time zone, with the date where it is another day. */
export function clock(when) {
  const date = new Date(when);
  if (Number.isNaN(date.getTime())) return "";
  const pad = (value) => String(value).padStart(2, "0");
  const text = `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`;
  const now = new Date();
  if (date.toDateString() === now.toDateString()) return text;
  return `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())} ${text}`;
}

/** The middle of a long text left out: both ends of an address tell more than its beginning. */
export function shorten(text, characters) {
  const all = [...text];
  if (all.length <= characters) return text;
  const tail = Math.floor((characters - 1) / 2);
  return `${all.slice(0, characters - 1 - tail).join("")}…${all.slice(all.length - tail).join("")}`;
}

/** Source ports as ranges: "50000–50003, 50007". */
export function ports(list, most = 6) {
  const ranges = [];
  for (const port of list) {
    const last = ranges.at(-1);
    if (last && last[1] + 1 === port) last[1] = port;
    else ranges.push([port, port]);
  }
  const told = ranges.slice(0, most).map(([first, last]) =>
    first === last ? `${first}` : last === first + 1 ? `${first}, ${last}` : `${first}–${last}`);
  return told.join(", ") + (ranges.length > most ? ", …" : "");
}

/** How bad a share of lost probes is: 0 none, 1 below 1 %, 2 below 5 %, 3 from there on. */
export function severity(ratio) {
  if (!ratio || ratio <= 0) return 0;
  return ratio < 0.01 ? 1 : ratio < 0.05 ? 2 : 3;
}

export const protocol = (destination) =>
  destination.protocol === "icmp" ? "ICMP" : `${destination.protocol.toUpperCase()} ${destination.port}`;

/** An element with attributes and children; strings become text. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  set(made, attributes);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function drawing(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  set(made, attributes);
  made.append(...children);
  return made;
}

export function set(node, attributes) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) node.removeAttribute(key);
    else if (node.getAttribute(key) !== String(value)) node.setAttribute(key, value === true ? "" : value);
  }
}

/** Text that is only written when it is another one: what is read out or selected stays as it is. */
export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes the children of `parent` those of `items`, in their order; elements of the same key are kept. */
export function sync(parent, items, key, make, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let place = parent.firstElementChild;
  for (const item of items) {
    const name = String(key(item));
    let child = known.get(name);
    if (child) {
      known.delete(name);
    } else {
      child = make(item);
      child.dataset.key = name;
    }
    update?.(child, item);
    if (child === place) place = place.nextElementSibling;
    else parent.insertBefore(child, place);
  }
  for (const child of known.values()) child.remove();
}
