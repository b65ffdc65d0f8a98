// A connection test is shown while it runs: the answer to the form is one line after the other.
(() => {
  "use strict";

  const copy = document.querySelector("[data-copies]");
  if (copy && navigator.clipboard) {
    const place = document.getElementById(copy.dataset.copies);
    copy.hidden = false;
    place.addEventListener("focus", () => place.select());
    place.closest("section").scrollIntoView({ block: "nearest" });
    copy.addEventListener("click", async () => {
      await navigator.clipboard.writeText(place.value);
      copy.textContent = copy.dataset.copied;
    });
  }

  const form = document.querySelector("form[data-tells]");
  if (!form || !window.ReadableStream) {
    return;
  }
  const words = document.getElementById("trying-words").dataset;
  const slowAfter = 6000;
  let box;

  form.addEventListener("submit", (event) => {
    if (!event.submitter || !("told" in event.submitter.dataset)) {
      return;
    }
    event.preventDefault();
    follow(event.submitter);
  });

  async function follow(button) {
    const body = new FormData(form, button);
    begin(button);
    try {
      const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "application/x-ndjson" } });
      if (!answer.headers.get("Content-Type")?.startsWith("application/x-ndjson")) {
        end("danger", answer.redirected || answer.status === 403 ? words.signedOut : words.failed);
        return;
      }
      await read(answer.body);
    } catch {
      end("danger", words.broken);
    } finally {
      // Where it leads elsewhere, the buttons stay as they are until the other page is there.
      if (!box.leaving) {
        restore(button);
      }
    }
  }

  async function read(stream) {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    let ended = false;
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        ended = told(JSON.parse(line)) || ended;
      }
    }
    if (!ended) {
      end("danger", words.broken);
    }
  }

  function told(said) {
    waitAgain();
    if (said.asks) {
      put(said.asks, { answer: "asking", icon: "progress_activity", label: words.asking, detail: "" });
    } else if (said.check) {
      put(said.check.name, said.check);
    } else if (said.leads_to) {
      box.leaving = true;
      location.assign(said.leads_to);
      return true;
    } else {
      end(said.works ? "success" : "danger", said.title);
      show(said.problems);
      return true;
    }
    return false;
  }

  function begin(button) {
    show({});
    document.getElementById("paste-again")?.remove();
    const fresh = document.getElementById("trying-box").content.cloneNode(true);
    const place = document.querySelector(form.dataset.tells);
    place.replaceChildren(fresh);
    box = { element: place.firstElementChild, rows: new Map(), leaving: false };
    box.element.scrollIntoView({ block: "nearest" });
    for (const other of form.querySelectorAll("button")) {
      other.disabled = true;
    }
    button.dataset.idle = button.textContent;
    button.textContent = button.dataset.busy;
    waitAgain();
  }

  function restore(button) {
    clearTimeout(box.timer);
    box.element.querySelector("[data-slow]").hidden = true;
    button.textContent = button.dataset.idle;
    for (const other of form.querySelectorAll("button")) {
      other.disabled = false;
    }
  }

  function waitAgain() {
    const slow = box.element.querySelector("[data-slow]");
    slow.hidden = true;
    clearTimeout(box.timer);
    box.timer = setTimeout(() => { slow.hidden = false; }, slowAfter);
  }

  function put(name, check) {
    let row = box.rows.get(name);
    if (!row) {
      row = document.getElementById("trying-line").content.cloneNode(true).firstElementChild;
      box.element.querySelector("[data-lines]").append(row);
      box.rows.set(name, row);
    }
    row.className = `cw-tried cw-tried--${check.answer}`;
    row.querySelector(".cw-tried__mark").textContent = check.icon;
    row.querySelector(".cw-tried__name").textContent = name;
    row.querySelector(".cw-tried__answer").textContent = check.label;
    row.querySelector(".cw-tried__detail").textContent = check.detail;
  }

  function end(tone, title) {
    for (const [name, row] of box.rows) {
      if (row.classList.contains("cw-tried--asking")) {
        row.remove();
        box.rows.delete(name);
      }
    }
    box.element.classList.add(`cw-callout--${tone}`);
    box.element.querySelector("[data-verdict]").textContent = title;
  }

  // Each sentence beside the field that mends it; what belongs to none, above.
  function show(problems) {
    const left = [];
    for (const place of form.querySelectorAll("[id$=-problem]")) {
      place.textContent = "";
      place.classList.remove("cw-problem--none");
    }
    let first;
    for (const [name, sentence] of Object.entries(problems ?? {})) {
      const place = document.getElementById(`${name}-problem`);
      if (!place) {
        left.push(sentence);
        continue;
      }
      place.textContent = sentence;
      place.closest("details")?.setAttribute("open", "");
      first ??= form.elements[name];
    }
    if (left.length) {
      const more = box.element.querySelector("[data-more]");
      more.textContent = left.join(" ");
      more.hidden = false;
    }
    // When the buttons are there again, or a disabled one would keep the focus.
    setTimeout(() => first?.focus());
  }

  // A page that the browser brings back from its memory is not at work.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) {
      location.reload();
    }
  });
})();
