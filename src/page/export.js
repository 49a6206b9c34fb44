// What is seen, as files and commands.

const LOOKS = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-opacity", "stroke-dasharray", "opacity", "font-family", "font-size", "font-weight", "text-anchor", "visibility"];

/** The picture with all that the style sheet says of it, so that it looks the same anywhere. */
function standalone(svg) {
  const copy = svg.cloneNode(true);
  const [from, to] = [svg, copy].map((one) => [one, ...one.querySelectorAll("*")]);
  from.forEach((node, index) => {
    const looks = getComputedStyle(node);
    for (const name of LOOKS) to[index].setAttribute(name, looks.getPropertyValue(name));
    for (const name of ["class", "tabindex", "role"]) to[index].removeAttribute(name);
  });
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  const ground = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [name, value] of [["width", "100%"], ["height", "100%"], ["fill", getComputedStyle(svg.closest(".card") ?? document.body).backgroundColor]]) ground.setAttribute(name, value);
  copy.prepend(ground);
  return new XMLSerializer().serializeToString(copy);
}

const fileName = (name) => name.replace(/[^\p{L}\p{N}._-]+/gu, "_").slice(0, 120);

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = fileName(name);
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export const saveText = (text, name, type) => save(new Blob([text], { type: `${type};charset=utf-8` }), name);
export const saveSvg = (svg, name) => saveText(standalone(svg), `${name}.svg`, "image/svg+xml");

export async function savePng(svg, name) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(standalone(svg))}`;
  await image.decode();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [2 * svg.clientWidth, 2 * svg.clientHeight];
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => blob && save(blob, `${name}.png`));
}

/** An answer of /series as a table: a line for each step of each path in which something was measured. RFC 4180. */
export function csvOf(series) {
  const lines = ["time,path,flows,probes,losses,silences,rtt_p5_ns,rtt_p50_ns,rtt_p95_ns"];
  for (const path of series.paths) {
    series.times.forEach((time, index) => {
      if (path.probes[index] === null) return;
      lines.push([time, path.path, path.flows[index], path.probes[index], path.losses[index], path.silences[index],
        ...["p5", "p50", "p95"].map((name) => path.rtt_ns[name][index] ?? "")].join(","));
    });
  }
  return lines.join("\r\n") + "\r\n";
}

/** For a POSIX shell, whatever the text holds. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

export function commandsOf(destination, range, at) {
  const ask = (path) => `curl -sS ${quoted(new URL(path, document.baseURI).href)}`;
  const named = `destination=${encodeURIComponent(destination?.name ?? "")}`;
  const commands = [ask(`series?${named}&from=${range}&flows=true`), ask(`topology?${named}${at === null ? "" : `&at=${encodeURIComponent(at)}`}`),
    ask(`events?${named}&since=${range}`)];
  return `${commands.join("\n")}\n`;
}

/** Whether it is on the clipboard. Pages of plain HTTP have to ask in the old way. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}
