// The rule editor: choices that fit, names as they are read, and whom a change would touch. All of it works without.
(() => {
  "use strict";

  const read = (id) => JSON.parse(document.getElementById(id)?.textContent || "{}");
  const offers = read("cw-vocabularies");
  const words = read("cw-rule-words");
  const QUICK = 1200; // milliseconds: what takes longer is not worked out at every change, but when asked for
  const NOTICED = 500; // milliseconds: what takes longer says that it is on its way

  document.addEventListener("click", (event) => {
    const back = event.target.closest("[data-goes-back]");
    if (back && history.length > 1) {
      event.preventDefault();
      history.back();
    }
  });

  const panel = document.querySelector("[data-foresees]");
  const form = panel && document.querySelector(panel.dataset.foresees);
  if (!form) {
    return;
  }

  // -- choices that fit the integration and the kind

  const offer = () => offers[form.elements.integration?.value];

  function choose(select, options, usual) {
    const had = select.value;
    const fits = options.some(([value]) => value === had);
    select.replaceChildren(...options.map(([value]) => new Option(value, value)));
    select.value = fits ? had : usual;
  }

  function noteAt(field) {
    const id = `${field.id}_note`;
    let note = document.getElementById(id);
    if (!note) {
      note = document.createElement("span");
      note.id = id;
      note.setAttribute("aria-live", "polite");
      field.setAttribute("aria-describedby", `${field.getAttribute("aria-describedby") || ""} ${id}`.trim());
      // The theme draws the arrow of a list into what is around it.
      (field.matches("select") ? field.parentElement : field).after(note);
    }
    return note;
  }

  function say(field, text, className = "") {
    const note = noteAt(field);
    note.className = `cw-note ${className}`;
    note.textContent = text || "";
  }

  function fit() {
    const here = offer();
    if (!here) {
      return;
    }
    const role = form.elements.role;
    if (role) {
      choose(role, here.roles, here.roles[0][0]);
      say(role, here.roles.find(([value]) => value === role.value)?.[1]);
    }
    for (const kind of form.querySelectorAll("select[name$='-kind']")) {
      if (!kind.name.includes("__prefix__")) {
        fitLine(kind, here);
      }
    }
  }

  function fitLine(kind, here) {
    const kinds = Object.keys(here.kinds);
    choose(kind, kinds.map((name) => [name]), kinds[0]);
    const of = here.kinds[kind.value];
    const role = form.elements[kind.name.replace(/-kind$/, "-role")];
    choose(role, of.roles, of.usual);
    say(role, of.roles.find(([value]) => value === role.value)?.[1]);
    const create = form.elements[kind.name.replace(/-kind$/, "-create")];
    if (create) {
      create.disabled = !of.creatable;
      create.checked = create.checked && of.creatable;
    }
  }

  // -- names as the last complete read knows them

  const address = location.pathname.replace(/accessrule\/.*|grouprule\/.*/, "accessrule/names/");
  const list = document.getElementById("cw-names");
  let asking;

  function kindOf(field) {
    const here = offer();
    const named = field.dataset.names;
    return named ? here?.[named] : form.elements[field.name.replace(/-name$/, "-kind")]?.value;
  }

  async function look(field) {
    const [kind, typed] = [kindOf(field), field.value.trim()];
    if (!kind || !offer()) {
      return;
    }
    asking?.abort();
    asking = new AbortController();
    const asked = new URLSearchParams({ integration: form.elements.integration.value, kind, q: typed });
    try {
      const answer = await fetch(`${address}?${asked}`, { signal: asking.signal });
      const found = answer.ok ? await answer.json() : { names: [], known: false };
      if (document.activeElement === field) {
        list.replaceChildren(...found.names.map((one) => Object.assign(new Option(one.note, one.name))));
      }
      const create = form.elements[field.name.replace(/-name$/, "-create")];
      const making = create && !create.disabled ? words.missingCreatable : words.missing;
      const lacks = typed && !found.exact && found.known && !(create && create.checked);
      say(field, !typed ? "" : found.exact || (lacks ? making : ""), lacks ? "cw-note--warning" : "");
    } catch (error) {
      if (error.name !== "AbortError") {
        throw error;
      }
    }
  }

  const isName = (field) => field.matches?.("input[list='cw-names']");
  let waiting;

  form.addEventListener("input", (event) => {
    if (isName(event.target)) {
      clearTimeout(waiting);
      waiting = setTimeout(() => look(event.target), 150);
    }
  });
  form.addEventListener("focusin", (event) => {
    if (isName(event.target)) {
      list.replaceChildren();
      look(event.target);
    }
  });

  async function lookAtAll() {
    for (const field of form.querySelectorAll("input[list='cw-names']")) {
      if (field.value && !field.name.includes("__prefix__")) {
        await look(field);
      }
    }
  }

  // -- whom it would touch

  const shown = panel.querySelector("[data-forecast]");
  let [foreseeing, soon, lasted] = [null, null, 0];

  async function foresee() {
    foreseeing?.abort();
    foreseeing = new AbortController();
    const mine = foreseeing;
    shown.setAttribute("aria-busy", "true");
    const began = performance.now();
    const noticed = setTimeout(() => stale(words.working), NOTICED);
    const sent = new FormData(form);
    sent.set("_foresee", "part");
    try {
      const answer = await fetch(location.href, { method: "POST", body: sent, signal: mine.signal });
      const came = await answer.text();
      if (!answer.ok || answer.redirected) {
        stale(answer.ok ? words.other : refusal(answer));
        return;
      }
      shown.innerHTML = came;
      lasted = performance.now() - began;
    } catch (error) {
      if (error.name !== "AbortError") {
        stale(words.silent);
      }
    } finally {
      clearTimeout(noticed);
      if (mine === foreseeing) {
        shown.removeAttribute("aria-busy");
      }
    }
  }

  function refusal(answer) {
    const id = answer.headers.get("X-Request-ID") || "?";
    return words.refused.replace("{status}", answer.status).replace("{id}", id);
  }

  function stale(text) {
    let line = shown.querySelector(".cw-stale");
    if (!line) {
      line = document.createElement("p");
      line.className = "cw-stale";
      shown.prepend(line);
    }
    line.textContent = text;
  }

  function changed() {
    clearTimeout(soon);
    if (lasted > QUICK) {
      stale(words.stale);
      return;
    }
    soon = setTimeout(foresee, 500);
  }

  panel.querySelector("[name='_foresee']").addEventListener("click", (event) => {
    event.preventDefault();
    clearTimeout(soon);
    foresee();
  });

  form.addEventListener("change", (event) => {
    fit();
    if (event.target.matches("select[name$='-kind'], input[name$='-create'], select[name='integration']")) {
      lookAtAll();
    }
    changed();
  });
  // Lists with a search field are jQuery's, and tell of a choice by its events only.
  window.django?.jQuery?.(form).on("select2:select select2:clear", changed);
  document.addEventListener("formset:added", () => fit());
  document.addEventListener("formset:removed", changed);

  fit();
  lookAtAll();
  if (form.elements.name?.value) {
    foresee();
  }
})();
