// Lines to review: many are selected at once, and the keyboard does all. Without this, the boxes and the two
// buttons do the same.
(() => {
  "use strict";

  const form = document.getElementById("decide");
  const bar = form && form.querySelector(".cw-review__bar");
  if (!bar) {
    return;
  }
  const boxes = [...form.querySelectorAll(".cw-line__box:not(:disabled)")];
  const said = bar.querySelector("[data-selected]");
  const reason = bar.querySelector("[name=reason]");
  const all = bar.querySelector("[data-selects-all]");
  const groups = [...form.querySelectorAll("[data-selects-group]")];
  const keep = bar.querySelector("[value=keep]");
  let wanted = null;
  const revoke = bar.querySelector("[value=revoke]");

  for (const hidden of form.querySelectorAll(".cw-review__all, .cw-review__keys")) {
    hidden.hidden = false;
  }

  const within = (group) => [...group.closest(".cw-review__group").querySelectorAll(".cw-line__box:not(:disabled)")];

  function show(box, some) {
    const chosen = some.filter((one) => one.checked).length;
    box.checked = chosen > 0 && chosen === some.length;
    box.indeterminate = chosen > 0 && chosen < some.length;
  }

  function tell() {
    const chosen = boxes.filter((box) => box.checked).length;
    said.textContent = chosen ? `${said.dataset.some} ${chosen}` : said.dataset.none;
    groups.forEach((group) => show(group, within(group)));
    show(all, boxes);
  }

  form.addEventListener("change", (event) => {
    const some = event.target === all ? boxes : groups.includes(event.target) ? within(event.target) : [];
    const on = event.target.checked;
    some.forEach((box) => { box.checked = on; });
    tell();
  });

  form.addEventListener("submit", (event) => {
    wanted = event.submitter;
    const lacks = wanted === revoke && !reason.value.trim();
    reason.setAttribute("aria-invalid", String(lacks));
    if (lacks) {
      event.preventDefault();
      reason.focus();
    }
  });

  // Enter in the reason does what was asked for, where a reason was all that it lacked, and nothing else.
  reason.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      if (wanted === revoke) {
        form.requestSubmit(revoke);
      }
    }
  });

  function go(step) {
    const here = boxes.indexOf(document.activeElement);
    const next = boxes[here < 0 ? (step > 0 ? 0 : boxes.length - 1) : here + step];
    if (next) {
      next.focus();
      next.closest(".cw-line").scrollIntoView({ block: "center" });
    }
  }

  // K and R mean what is selected, and where nothing is, the line one is on.
  function decide(button) {
    const here = document.activeElement;
    if (!boxes.some((box) => box.checked) && boxes.includes(here)) {
      here.checked = true;
      tell();
    }
    form.requestSubmit(button);
  }

  const KEYS = {
    ArrowDown: () => go(1),
    ArrowUp: () => go(-1),
    k: () => decide(keep),
    r: () => decide(revoke),
    "/": () => document.querySelector(".cw-review__filters [name=q]").focus(),
  };

  document.addEventListener("keydown", (event) => {
    const typing = event.target.matches("input:not([type=checkbox]), textarea, select");
    const does = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!does || typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) {
      return;
    }
    event.preventDefault();
    does();
  });

  tell();
})();
