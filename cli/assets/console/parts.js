// Shows the result of a form in a part of the page, without loading the page again: a button with data-part names the part.
// Without this script, the form loads the page. A button with data-copy copies the text of an element.
"use strict";
(() => {
  const csrf = document.querySelector("meta[name=csrf]").content;
  const running = new Map();

  // The parts are rendered and escaped by the server, like the page.
  async function show(form, address, id) {
    running.get(id)?.abort();
    const abort = new AbortController();
    running.set(id, abort);
    const part = document.getElementById(id);
    part.setAttribute("aria-busy", "true");
    try {
      const response = await fetch(address, {
        method: "POST",
        headers: { "x-csrf-token": csrf, "x-part": "1" },
        body: new URLSearchParams(new FormData(form)),
        signal: abort.signal,
      });
      if (!response.ok) throw new Error(`The console answered with status ${response.status}. Load the page again.`);
      part.innerHTML = await response.text();
    } catch (error) {
      if (error.name === "AbortError") return;
      part.textContent = error.message;
    }
    part.removeAttribute("aria-busy");
    offer();
  }

  document.addEventListener("submit", (event) => {
    const id = event.submitter?.dataset.part;
    if (!id) return;
    event.preventDefault();
    const address = event.submitter.getAttribute("formaction") ?? event.target.getAttribute("action");
    show(event.target, address, id);
  });

  function offer() {
    for (const button of document.querySelectorAll("[data-copy]")) button.hidden = !navigator.clipboard;
  }
  document.addEventListener("click", async (event) => {
    const id = event.target.dataset?.copy;
    if (!id) return;
    await navigator.clipboard.writeText(document.getElementById(id).textContent);
    event.target.textContent = "Copied";
  });
  offer();
})();
