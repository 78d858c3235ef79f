// Reads the progress of the backtest every second, and loads the page again when it has ended.
"use strict";
(() => {
  const EVERY_MS = 1000;
  const byId = (id) => document.getElementById(id);

  function show(progress) {
    byId("step").textContent = `Step ${progress.step}`;
    byId("bar").value = progress.percent;
    byId("records").textContent = progress.records;
    byId("total").textContent = progress.total ? `of about ${progress.total}` : "";
    byId("rate").textContent = progress.rate;
    byId("left").textContent = progress.left;
    byId("state").textContent = "";
  }

  async function poll() {
    if (!document.hidden) {
      try {
        const response = await fetch("/console/catalog/backtest.json");
        if (response.status === 404) return location.reload();
        if (!response.ok) throw new Error(response.status === 401 ? "Signed out. Load the page again." : "No answer");
        const progress = await response.json();
        if (!progress.running) return location.reload();
        show(progress);
      } catch (error) {
        byId("state").textContent = error.message;
      }
    }
    setTimeout(poll, EVERY_MS);
  }
  poll();
})();
