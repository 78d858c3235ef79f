// The charts of a backtest's report. The tables beside them have the same numbers.
(() => {
  "use strict";
  const data = JSON.parse(document.getElementById("data").textContent);
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const LIGHT = { text: "#3b4252", grid: "#e3e6ec", paid: "#64748b", draft: "#2563eb", more: "#15803d", less: "#b91c1c" };
  const DARK = { text: "#c7cdd9", grid: "#2c3342", paid: "#94a3b8", draft: "#60a5fa", more: "#4ade80", less: "#f87171" };
  const PRINT_WIDTH = 680;
  const SHOWN_CHARS = 18;
  const font = "12px system-ui, sans-serif";
  const compact = new Intl.NumberFormat("en", { notation: "compact" });
  let charts = [];

  const axis = (colors, more) => ({ stroke: colors.text, font, grid: { stroke: colors.grid, width: 1 }, ticks: { stroke: colors.grid }, ...more });
  const values = (plot, splits) => splits.map((split) => (split === null ? "" : compact.format(split)));
  const utc = (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC");

  function weeks(element, width, colors) {
    const columns = [
      data.weeks.map(([from]) => Date.parse(from) / 1000),
      data.weeks.map(([, paid]) => paid),
      data.weeks.map(([, , draft]) => draft),
    ];
    const week = 7 * 86400;
    const line = (label, stroke, dash) => ({ label, stroke, dash, width: 2, points: { show: true, size: 6, fill: stroke } });
    const options = {
      width, height: 260, tzDate: utc, cursor: { show: false }, legend: { live: false },
      scales: {
        // A single week would otherwise be one of many years.
        x: { range: [columns[0][0] - week / 2, columns[0][columns[0].length - 1] + week / 2] },
        y: { range: (plot, least, most) => uPlot.rangeNum(Math.min(least, 0), Math.max(most, 1), 0.1, true) },
      },
      series: [{ label: "Week from", value: "{YYYY}-{MM}-{DD}" }, line("Paid", colors.paid, [6, 4]), line("With the draft", colors.draft)],
      axes: [
        axis(colors, {
          incrs: [1, 2, 4, 13, 26, 52].map((count) => count * week), values: "{YYYY}-{MM}-{DD}", space: 90,
          // On the Mondays of the data, as many as there is space for.
          splits: (plot, index, least, most, step) => {
            const mondays = [];
            for (let monday = columns[0][0]; monday <= most; monday += step) mondays.push(monday);
            return mondays;
          },
        }),
        axis(colors, { values, size: 60 }),
      ],
    };
    return new uPlot(options, columns, element);
  }

  function offers(element, width, colors) {
    const names = data.offers.map(([id]) => (id.length > SHOWN_CHARS ? id.slice(0, SHOWN_CHARS - 1) + "…" : id));
    const differences = data.offers.map(([, difference]) => difference);
    const columns = [
      names.map((name, index) => index),
      differences.map((difference) => (difference > 0 ? difference : null)),
      differences.map((difference) => (difference < 0 ? difference : null)),
    ];
    const bars = uPlot.paths.bars({ size: [0.6, 64] });
    const bar = (label, color) => ({ label, stroke: color, fill: color, paths: bars, points: { show: false } });
    const options = {
      width, height: 320, legend: { show: false }, cursor: { show: false },
      scales: {
        x: { time: false, range: [-0.5, names.length - 0.5] },
        y: { range: (plot, least, most) => uPlot.rangeNum(Math.min(least, 0), Math.max(most, 0), 0.1, true) },
      },
      series: [{}, bar("More", colors.more), bar("Less", colors.less)],
      axes: [
        axis(colors, {
          grid: { show: false }, rotate: -40, size: 110, splits: () => columns[0], values: () => names, side: 2,
        }),
        axis(colors, { values, size: 60 }),
      ],
    };
    return new uPlot(options, columns, element);
  }

  function draw(colors, width) {
    for (const chart of charts) chart.destroy();
    charts = [];
    for (const [id, build, rows] of [["weeks", weeks, data.weeks], ["offers", offers, data.offers]]) {
      const element = document.getElementById(id);
      if (element && rows.length > 0) charts.push(build(element, width || element.clientWidth, colors));
    }
  }

  const onScreen = () => draw(dark.matches ? DARK : LIGHT);
  dark.addEventListener("change", onScreen);
  // Paper is white, whatever the screen is.
  addEventListener("beforeprint", () => draw(LIGHT, PRINT_WIDTH));
  addEventListener("afterprint", onScreen);
  addEventListener("resize", onScreen);
  if (matchMedia("print").matches) draw(LIGHT, PRINT_WIDTH);
  else onScreen();
})();
