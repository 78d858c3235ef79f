// Checks the draft while it is typed, by pressing the button that checks it.
"use strict";
(() => {
  const DELAY_MS = 400;
  const form = document.getElementById("draft-form");
  const draft = document.getElementById("draft");
  const check = document.getElementById("check-button");

  let timer;
  draft.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => form.requestSubmit(check), DELAY_MS);
  });
  form.requestSubmit(check);

  // Goes to the line of a problem.
  document.getElementById("check").addEventListener("click", (event) => {
    const line = Number(event.target.dataset?.line);
    if (!line) return;
    const lines = draft.value.split("\n");
    const start = lines.slice(0, line - 1).reduce((sum, text) => sum + text.length + 1, 0);
    draft.focus();
    draft.setSelectionRange(start, start + (lines[line - 1] ?? "").length);
    const height = parseFloat(getComputedStyle(draft).lineHeight);
    draft.scrollTop = Math.max(0, (line - 5) * height);
  });

  // Shows only the fields that apply.
  const what = document.getElementById("what");
  const choose = () => {
    for (const field of document.querySelectorAll("[data-for]")) {
      field.hidden = !field.dataset.for.split(" ").includes(what.value);
    }
  };
  what.addEventListener("change", choose);
  choose();
})();
