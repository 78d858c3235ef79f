// Reads the figures of the last ten minutes every two seconds, and draws them.
"use strict";
(() => {
  const EVERY_MS = 2000;
  const number = new Intl.NumberFormat("en");
  const byId = (id) => document.getElementById(id);
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const COLOURS = ["--series-1", "--series-2", "--series-3", "--series-4", "--series-5", "--series-6"];
  const OUTCOMES = { done: "--good", duplicate: "--series-3", refused: "--series-2", failed: "--bad" };
  const charts = new Map();

  const clock = (seconds) => new Date(seconds * 1000).toISOString().slice(11, 16);

  function options(names, width, unit, colours) {
    const axis = { stroke: style("--muted"), grid: { stroke: style("--line"), width: 1 }, ticks: { show: false }, font: "12px system-ui, sans-serif" };
    return {
      width,
      height: 200,
      cursor: { y: false, points: { size: 6 } },
      legend: { live: true },
      scales: { x: { time: true }, y: { range: (_, __, max) => [0, Math.max(1, max * 1.1)] } },
      // Like all times of the console.
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      axes: [
        { ...axis, grid: { show: false }, space: 70, size: 28, values: (_, seconds) => seconds.map(clock) },
        { ...axis, size: 48, space: 36 },
      ],
      series: [
        { label: "UTC", value: (_, seconds) => (seconds == null ? "" : clock(seconds)) },
        ...names.map((name, index) => ({
          label: name,
          stroke: style(colours?.[name] ?? COLOURS[index % COLOURS.length]),
          width: 2,
          // A step between steps without requests has no line.
          points: { show: unit !== "", size: 4 },
          spanGaps: false,
          value: (_, value) => (value == null ? "" : `${number.format(Math.round(value * 100) / 100)}${unit}`),
        })),
      ],
    };
  }

  // A chart is made again if its series or the colours change.
  function draw(id, times, series, unit, colours) {
    const at = byId(id);
    const names = series.map(([name]) => name);
    const data = [times, ...series.map(([, values]) => values)];
    const latest = series.map(([name, values]) => `${name} ${number.format(Math.round((values.at(-1) ?? 0) * 100) / 100)}`);
    at.setAttribute("aria-label", `${at.parentElement.querySelector("figcaption").textContent}: now ${latest.join(", ")}`);
    const key = JSON.stringify(names);
    const known = charts.get(id);
    if (known?.key === key) {
      known.chart.setData(data);
    } else {
      known?.chart.destroy();
      charts.set(id, { key, chart: new uPlot(options(names, at.clientWidth, unit, colours), data, at) });
    }
    const { chart } = charts.get(id);
    if (chart.cursor.idx == null) chart.setLegend({ idx: times.length - 1 });
  }

  function cell(row, text, className) {
    const td = row.insertCell();
    td.textContent = text;
    if (className) td.className = className;
    return td;
  }

  function chip(td, text, kind) {
    const span = document.createElement("span");
    span.className = `chip ${kind}`;
    span.textContent = text;
    td.append(span);
  }

  function kindOf(status) {
    if (status >= 500) return "bad";
    return status >= 400 ? "warn" : "good";
  }

  function show(figures) {
    for (const [name, value] of Object.entries(figures.totals)) byId(name).textContent = number.format(value);
    const count = figures.apis[0][1].length;
    const times = Array.from({ length: count }, (_, index) => figures.last - (count - 1 - index) * figures.step);
    draw("chart-apis", times, figures.apis, "");
    draw("chart-outcomes", times, figures.outcomes, "", OUTCOMES);
    draw("chart-latency", times, figures.latency, " ms");
    draw("chart-points", times, figures.points.length ? figures.points : [["points", times.map(() => 0)]], "");

    const reasons = byId("reasons");
    reasons.replaceChildren();
    if (figures.reasons.length) {
      for (const [reason, requests] of figures.reasons) {
        const row = reasons.insertRow();
        cell(row, reason);
        cell(row, number.format(requests), "num");
      }
    } else {
      const none = cell(reasons.insertRow(), "None in the last ten minutes.", "muted");
      none.colSpan = 2;
    }
    if (figures.recent.length) {
      const recent = byId("recent");
      recent.replaceChildren();
      for (const request of figures.recent) {
        const row = recent.insertRow();
        cell(row, request.at, "nowrap");
        const name = cell(row, "");
        const code = document.createElement("code");
        code.textContent = request.function;
        name.append(code);
        chip(cell(row, ""), request.status, kindOf(request.status));
        const outcome = cell(row, request.outcome.replaceAll("_", " "));
        if (request.reason) {
          const reason = document.createElement("span");
          reason.className = "sub";
          reason.textContent = request.reason;
          outcome.append(reason);
        }
        cell(row, number.format(Math.round(request.millis * 10) / 10), "num");
      }
    }
  }

  let paused = false;
  async function poll() {
    if (!paused && !document.hidden) {
      try {
        const response = await fetch("/console/live.json");
        if (!response.ok) throw new Error(response.status === 401 ? "Signed out. Load the page again." : "No answer");
        show(await response.json());
        byId("state").textContent = "The last ten minutes";
      } catch (error) {
        byId("state").textContent = error.message;
      }
    }
    setTimeout(poll, EVERY_MS);
  }

  byId("pause").addEventListener("click", () => {
    paused = !paused;
    byId("pause").setAttribute("aria-pressed", paused);
    byId("pause").textContent = paused ? "Go on" : "Pause";
  });
  const again = () => {
    for (const { chart } of charts.values()) chart.destroy();
    charts.clear();
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
  addEventListener("resize", () => {
    for (const { chart } of charts.values()) chart.setSize({ width: chart.root.parentElement.clientWidth, height: 200 });
  });
  poll();
})();
