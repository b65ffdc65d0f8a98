// The theme makes buttons of links without an address and of plain text: no key reaches them. Here they become buttons.
(() => {
  "use strict";

  const PRESSED = "a:not([href])[x-on\\:click], span[x-on\\:click], div.text-icon-action[x-on\\:click]";

  function reach(root) {
    for (const icon of root.querySelectorAll(".material-symbols-outlined:not([aria-hidden])")) {
      icon.setAttribute("aria-hidden", "true");
    }
    for (const pressed of root.querySelectorAll(PRESSED)) {
      pressed.setAttribute("role", "button");
      pressed.setAttribute("tabindex", "0");
    }
  }

  document.addEventListener("DOMContentLoaded", () => reach(document));
  document.addEventListener("htmx:afterSwap", (event) => reach(event.detail.target));

  // The theme hides the page until it is ready, and what is hidden cannot take the focus when the browser would give it.
  window.addEventListener("load", () => setTimeout(() => {
    if (document.activeElement === document.body) {
      document.querySelector("main [autofocus]")?.focus();
    }
  }));

  // What scrolls by itself is a region, and the theme calls all of them "scrollable content".
  window.addEventListener("load", () => {
    for (const region of document.querySelectorAll("main .simplebar-content-wrapper")) {
      const head = region.closest("#changelist-filter") ? "[x-on\\:click='filterOpen = true']" : "h1";
      region.setAttribute("aria-label", words(document.querySelector(head)) || document.title);
    }
  });

  function words(element) {
    const copy = element?.cloneNode(true);
    copy?.querySelectorAll(".material-symbols-outlined").forEach((icon) => icon.remove());
    return copy?.textContent.trim().replace(/\s+/g, " ");
  }

  // The drawer with the filters takes the focus when it opens, and gives it back when Escape closes it.
  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[x-on\\:click='filterOpen = true']");
    if (!opener) {
      return;
    }
    const drawer = document.getElementById("changelist-filter");
    setTimeout(() => drawer.querySelector("input:not([type=hidden]), select, a[href], button")?.focus(), 50);
    const back = (pressed) => {
      if (pressed.key === "Escape") {
        document.removeEventListener("keydown", back);
        opener.focus();
      }
    };
    document.addEventListener("keydown", back);
  });

  document.addEventListener("keydown", (event) => {
    if ((event.key === "Enter" || event.key === " ") && event.target.matches("[role=button]:not(button)")) {
      event.preventDefault();
      event.target.click();
    }
  });
})();
