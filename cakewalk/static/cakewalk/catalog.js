// The catalog is filtered as one types, and the address says by what, so that it can be kept and sent.
(() => {
  "use strict";

  const form = document.querySelector("form[data-catalog]");
  if (!form) {
    return;
  }
  const cards = [...document.querySelectorAll(".cw-entry")];
  const found = document.querySelector("[data-found]");
  const nothing = document.querySelector("[data-nothing]");
  const fields = [form.elements.q, form.elements.category, form.elements.state];
  form.querySelector("[data-without-script]").hidden = true;

  // The same as the server does for an address.
  function matches(card) {
    const [words, category, state] = fields.map((field) => field.value.trim());
    return words.toLowerCase().split(/\s+/).every((word) => card.dataset.words.includes(word))
      && (!category || card.dataset.category === category)
      && (!state || card.dataset.states.split(" ").includes(state));
  }

  function filter() {
    for (const card of cards) {
      card.hidden = !matches(card);
    }
    const shown = cards.filter((card) => !card.hidden).length;
    found.textContent = shown;
    nothing.hidden = shown > 0;
    const asked = new URLSearchParams(fields.map((field) => [field.name, field.value.trim()]).filter((pair) => pair[1]));
    history.replaceState(null, "", asked.size ? `?${asked}` : location.pathname);
  }

  form.addEventListener("input", filter);
  form.addEventListener("change", filter);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    filter();
  });
  document.querySelector("[data-clears]").addEventListener("click", (event) => {
    event.preventDefault();
    for (const field of fields) {
      field.value = "";
    }
    filter();
    fields[0].focus();
  });
})();
