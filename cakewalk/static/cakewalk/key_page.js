// The page of a one-time link: its secret part stands behind the #, and goes from there into the body of a POST.
(() => {
  "use strict";

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const follow = () => document.documentElement.classList.toggle("dark", dark.matches);
  follow();
  dark.addEventListener("change", follow);

  function open() {
    const token = location.hash.slice(1);
    if (!token) {
      return;
    }
    // Out of the address and the browser's history, before anything else happens.
    history.replaceState(null, "", location.pathname);
    const form = document.createElement("form");
    form.method = "post";
    form.action = location.pathname;
    const link = document.createElement("input");
    link.type = "hidden";
    link.name = "link";
    link.value = token;
    form.append(link);
    document.body.append(form);
    form.submit();
  }
  document.addEventListener("DOMContentLoaded", open);
  // A link that is pasted over this page's address loads nothing anew.
  window.addEventListener("hashchange", open);

  // Trying a key takes seconds: say so, and take no second click.
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button?.dataset.busy) {
      setTimeout(() => {
        button.textContent = button.dataset.busy;
        button.disabled = true;
      });
    }
  });
})();
