// A job's page while the job goes on: renewed from the server without taking anything from whoever reads it.
(() => {
  "use strict";

  const job = () => document.getElementById("job");
  let closed = new Set();
  let opened = new Set();
  let focused = null;
  let scrolled = [];

  // -- renewing

  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "job") return;
    if (!event.detail.xhr.responseText.includes('id="job"')) {
      // Signed out meanwhile, or the job is not to be seen any more: the whole page says so.
      event.detail.shouldSwap = false;
      window.location.reload();
      return;
    }
    if (isInUse()) {
      event.detail.shouldSwap = false;
      return;
    }
    keep();
  });

  document.addEventListener("htmx:afterSwap", () => {
    if (!job()) return;
    bringBack();
    say();
  });

  // Not under the hands of somebody who decides, or who marks a text to copy it.
  function isInUse() {
    const marked = window.getSelection();
    const within = marked && !marked.isCollapsed && job().contains(marked.anchorNode);
    return within || document.querySelector("dialog[open]") !== null;
  }

  function keep() {
    const all = [...job().querySelectorAll("details[id]")];
    opened = new Set(all.filter((one) => one.open).map((one) => one.id));
    closed = new Set(all.filter((one) => !one.open).map((one) => one.id));
    focused = job().contains(document.activeElement) ? pathTo(document.activeElement) : null;
    scrolled = [...job().querySelectorAll(".cw-table-wrap")].map((one) => one.scrollLeft);
  }

  function bringBack() {
    for (const one of job().querySelectorAll("details[id]")) {
      if (opened.has(one.id)) one.open = true;
      if (closed.has(one.id)) one.open = false;
    }
    [...job().querySelectorAll(".cw-table-wrap")].forEach((one, place) => {
      one.scrollLeft = scrolled[place] || 0;
    });
    const again = focused && document.querySelector(focused);
    if (again) again.focus({ preventScroll: true });
  }

  // By what the element does, as most have no id.
  function pathTo(element) {
    if (element.id) return `#${CSS.escape(element.id)}`;
    for (const name of ["data-opens", "data-copies", "href"]) {
      const value = element.getAttribute(name);
      if (value) return `#job [${name}="${CSS.escape(value)}"]`;
    }
    const details = element.matches("summary") ? element.parentElement : null;
    return details && details.id ? `#${CSS.escape(details.id)} > summary` : null;
  }

  // Said once, when it is another than before.
  let said = "";
  function say() {
    const now = job().dataset.says;
    if (said && now !== said) document.getElementById("job-said").textContent = now;
    said = now;
  }

  // -- counting on between two answers

  const begun = new WeakMap();
  setInterval(() => {
    for (const one of document.querySelectorAll("[data-counts]")) {
      if (!begun.has(one)) begun.set(one, performance.now() - 1000 * Number(one.dataset.counts));
      one.textContent = inWords((performance.now() - begun.get(one)) / 1000);
    }
  }, 500);

  function inWords(seconds) {
    if (seconds < 10) return `${seconds.toFixed(1)} s`;
    const whole = Math.round(seconds);
    const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
    if (hours) return `${hours} h ${minutes} min`;
    return minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
  }

  // -- copying the address

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copies]");
    if (!button) return;
    await copy(button.dataset.copies);
    const text = button.lastElementChild;
    const before = text.textContent;
    text.textContent = button.dataset.copied;
    document.getElementById("job-said").textContent = button.dataset.copied;
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

  if (job()) say();
})();
