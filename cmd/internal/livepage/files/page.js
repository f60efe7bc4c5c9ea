"use strict";

// The charts: each has one or two lines of a point's fields, in a unit.
const charts = [
  {title: "Connected peers", lines: [["connected", "connected"], ["failed", "failed"]], show: whole},
  {title: "Loss after repair", lines: [["loss", ""]], show: (v) => (100 * v).toFixed(2) + " %"},
  {title: "Media delay", lines: [["p95", "p95"], ["p50", "p50"]], show: (v) => v.toFixed(v < 10 ? 1 : 0) + " ms"},
  {title: "Mean peer", lines: [["up", "up"], ["down", "down"]], show: rate},
  {title: "Server", lines: [["out", "out"], ["in", "in"]], show: rate},
  {title: "Generator", lines: [["cpu", ""]], show: (v) => v.toFixed(2) + " cores"},
];

function whole(v) { return String(Math.round(v)); }

function rate(v) {
  if (v >= 1e9) return (v / 1e9).toFixed(2) + " Gbit/s";
  if (v >= 1e6) return (v / 1e6).toFixed(2) + " Mbit/s";
  return (v / 1e3).toFixed(0) + " kbit/s";
}

const svgSpace = "http://www.w3.org/2000/svg";

function element(parent, name, attributes, text) {
  const e = parent.namespaceURI === svgSpace || name === "svg" ? document.createElementNS(svgSpace, name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) e.setAttribute(key, value);
  if (text !== undefined) e.textContent = text;
  parent.append(e);
  return e;
}

for (const chart of charts) {
  const figure = element(document.getElementById("charts"), "figure");
  const caption = element(figure, "figcaption", {}, "");
  element(caption, "span", {}, chart.title);
  chart.value = element(caption, "span", {class: "value"});
  chart.svg = element(figure, "svg", {role: "img", preserveAspectRatio: "none"});
}

// nice is the next round number, so that an axis does not jump with every value.
function nice(v) {
  if (!(v > 0)) return 1;
  const ten = 10 ** Math.floor(Math.log10(v));
  return ten * [1, 2, 5, 10].find((m) => v <= m * ten * 1.0000001);
}

function draw(chart, points) {
  const svg = chart.svg, width = Math.max(200, svg.clientWidth), height = 144, left = 4, bottom = 16, top = 12;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.replaceChildren();
  const seen = points.flatMap((p) => chart.lines.map(([key]) => p[key])).filter((v) => v !== null);
  const highest = nice(Math.max(0, ...seen));
  const first = points.length ? points[0].t : 0, last = points.length ? points[points.length - 1].t : 1;
  const x = (t) => left + (width - 2 * left) * (last > first ? (t - first) / (last - first) : 1);
  const y = (v) => height - bottom - (height - bottom - top) * Math.min(1, v / highest);
  for (const share of [0, 0.5, 1]) {
    element(svg, "line", {class: "grid", x1: left, x2: width - left, y1: y(share * highest), y2: y(share * highest)});
  }
  element(svg, "text", {x: left, y: top - 2}, chart.show(highest));
  element(svg, "text", {x: left, y: height - 3}, first.toFixed(0) + " s");
  element(svg, "text", {x: width - left, y: height - 3, "text-anchor": "end"}, last.toFixed(0) + " s");
  chart.value.replaceChildren();
  const words = [];
  chart.lines.forEach(([key, name], i) => {
    let path = "", pen = false;
    for (const p of points) {
      if (p[key] === null) { pen = false; continue; }
      path += (pen ? "L" : "M") + x(p.t).toFixed(1) + " " + y(p[key]).toFixed(1);
      pen = true;
    }
    element(svg, "path", {class: "ab"[i], d: path || "M0 0"});
    const now = points.length ? points[points.length - 1][key] : null;
    const text = (name ? name + " " : "") + (now === null ? "–" : chart.show(now));
    words.push(text);
    element(chart.value, "span", {class: "ab"[i]}, (i ? "  " : "") + text);
  });
  svg.setAttribute("aria-label", `${chart.title}: now ${words.join(", ")}; axis to ${chart.show(highest)}`);
}

const select = document.getElementById("cell");
let shown = "", next = 0, points = [], known = "";

function list(cells) {
  const key = cells.join("\n");
  if (key === known) return;
  known = key;
  const chosen = select.value;
  select.replaceChildren();
  element(select, "option", {value: ""}, "latest");
  for (const c of cells) element(select, "option", {value: c}, c || "the only one");
  select.value = cells.includes(chosen) ? chosen : "";
}

function status(s) {
  const phase = document.getElementById("phase");
  phase.replaceChildren();
  const left = s.left_s >= 60 ? Math.floor(s.left_s / 60) + " min " + Math.round(s.left_s % 60) + " s" : Math.round(s.left_s) + " s";
  element(phase, "span", {}, `${s.phase} · ${s.joined} of ${s.planned} joined · ${s.connected} connected`);
  if (s.failed) element(phase, "span", {class: "bad"}, ` · ${s.failed} failed`);
  element(phase, "span", {}, ` · ${left} left${s.cell ? " · " + s.cell : ""}`);
}

async function refresh() {
  try {
    const query = new URLSearchParams({cell: select.value, after: String(next)});
    const s = await (await fetch("feed?" + query)).json();
    list(s.cells);
    if (s.title) {
      document.getElementById("title").textContent = s.title;
      document.title = s.title + " – peerfleet";
    }
    if (s.title + "\n" + s.cell !== shown) { // another cell: from its beginning
      const whole = next === 0;
      shown = s.title + "\n" + s.cell;
      next = 0;
      points = [];
      if (!whole) return refresh();
    }
    points = points.concat(s.points).slice(-3600);
    next = s.next;
    if (s.phase) status(s);
    for (const chart of charts) draw(chart, points);
  } catch (e) {
    document.getElementById("phase").textContent = "The run is over, or cannot be reached.";
  }
}

select.addEventListener("change", () => { next = 0; points = []; refresh(); });
addEventListener("resize", () => charts.forEach((c) => draw(c, points)));
refresh();
setInterval(refresh, 1000);
