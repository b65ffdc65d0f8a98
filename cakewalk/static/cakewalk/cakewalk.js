// Our own pages' behaviour: native dialogs, buttons that say they are at work, and focus in the theme's dialogs.
(() => {
  "use strict";

  // Else htmx would write a style of its own into the page, which the Content-Security-Policy forbids.
  htmx.config.includeIndicatorStyles = false;

  document.addEventListener("click", (event) => {
    const opener = event.target.closest("[data-opens]");
    if (opener) {
      event.preventDefault();
      document.getElementById(opener.dataset.opens).showModal();
    }
    const closer = event.target.closest("[data-closes]");
    if (closer) {
      closer.closest("dialog").close();
    }
    if (event.target instanceof HTMLDialogElement) {
      event.target.close();
    }
  });

  // Checking a key takes seconds: say so, and take no second click. The button's own value is sent first.
  document.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (!button || !button.dataset.busy || event.defaultPrevented) {
      return;
    }
    setTimeout(() => {
      button.dataset.idle = button.textContent;
      button.textContent = button.dataset.busy;
      for (const other of event.target.querySelectorAll("button")) {
        other.disabled = true;
      }
    });
  });

  // A page that the browser brings back from its memory must not stay "at work".
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      for (const button of document.querySelectorAll("button[data-idle]")) {
        button.textContent = button.dataset.idle;
        for (const other of button.form.querySelectorAll("button")) {
          other.disabled = false;
        }
      }
    }
  });

  // The theme writes the name of a chosen file into the first text field nearby, which on our pages is another one.
  document.addEventListener("change", (event) => {
    if (event.target.matches(".cw-field input[type=file]")) event.stopPropagation();
  }, true);

  // A live job's page is renewed as it goes on, but not under the hands of somebody who decides.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id === "job" && document.querySelector("dialog[open]")) {
      event.detail.shouldSwap = false;
    }
  });

  // What a page loads after it is there. Why it did not come is told in its place, beside the way to ask again.
  document.addEventListener("htmx:responseError", ({ detail }) => {
    const id = detail.xhr.getResponseHeader("X-Request-ID") || "?";
    tellFailure(detail.elt, "refused", { status: detail.xhr.status, id });
  });
  document.addEventListener("htmx:sendError", ({ detail }) => tellFailure(detail.elt, "silent"));
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    const asked = detail.requestConfig.elt;
    const came = detail.xhr.responseText;
    if (detail.shouldSwap && asked.querySelector("[data-failure]") && came.includes("<html") && !came.includes("data-forecast")) {
      detail.shouldSwap = false;
      tellFailure(asked, "other");
    }
  });

  function tellFailure(asked, how, facts = {}) {
    const told = asked.querySelector("[data-failure]");
    if (!told) {
      return;
    }
    told.textContent = told.dataset[how].replace(/{(\w+)}/g, (_, name) => facts[name]);
    told.hidden = false;
  }

  // Django's "No, take me back" is made to work when the page is there, and not where it comes after that.
  document.addEventListener("click", (event) => {
    if (event.target.closest(".cancel-link") && !event.defaultPrevented) {
      event.preventDefault();
      history.back();
    }
  });

  // What the theme leaves unsaid to those who cannot see: what a list searches.
  window.addEventListener("load", () => {
    nameLists();
    // jQuery makes the lists when it finds the time, also after this.
    new MutationObserver(nameLists).observe(document.body, { childList: true, subtree: true });
  });

  function nameLists() {
    for (const list of document.querySelectorAll(".select2")) {
      const name = document.querySelector(`label[for="${list.previousElementSibling.id}"]`)?.textContent.trim();
      for (const part of list.querySelectorAll("[role=searchbox], [role=textbox]")) {
        part.setAttribute("aria-label", name || "Search");
      }
    }
  }

  // The theme's dialogs take no focus and have no role.
  document.addEventListener("htmx:afterSwap", (event) => {
    const dialog = event.detail.target.id === "modal-content" && event.detail.target;
    if (!dialog) {
      return;
    }
    dialog.setAttribute("role", "dialog");
    dialog.setAttribute("aria-modal", "true");
    const first = dialog.querySelector("input:not([type=hidden]), textarea, select, button");
    if (first) {
      setTimeout(() => first.focus(), 50);
    }
  });
})();
