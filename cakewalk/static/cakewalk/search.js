// The search of the history: its address says what is asked and nothing else, and can be copied.
(() => {
  "use strict";

  for (const form of document.querySelectorAll("form[data-finds]")) {
    form.addEventListener("submit", () => {
      const empty = [...form.elements].filter((field) => field.name && !field.value && !field.disabled);
      for (const field of empty) field.disabled = true;
      setTimeout(() => { for (const field of empty) field.disabled = false; });
    });
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copies]");
    if (!button) return;
    await copy(button.dataset.copies);
    const text = button.lastElementChild;
    const before = text.textContent;
    text.textContent = button.dataset.copied;
    setTimeout(() => { text.textContent = before; }, 2000);
  });

  // The clipboard is there on https and on this machine only.
  async function copy(text) {
    if (navigator.clipboard) return navigator.clipboard.writeText(text);
    const field = document.createElement("textarea");
    field.value = text;
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
})();
