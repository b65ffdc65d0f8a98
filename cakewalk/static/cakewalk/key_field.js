// The key field: what is pasted is recognized here, by the connector's own patterns, and sent nowhere for it.
(() => {
  "use strict";

  const field = document.querySelector("[data-key-field] input");
  const kinds = JSON.parse(document.getElementById("recognized")?.textContent ?? "[]");
  const said = document.getElementById("secret-problem");
  if (!field || !said) {
    return;
  }

  // The first pattern that fits, as the server has it. Spaces around it are cut off by the server as well.
  const seen = (text) => kinds.find((kind) => new RegExp(kind.pattern, "u").test(text));

  function judge() {
    const text = field.value.trim();
    const kind = text ? seen(text) : undefined;
    said.textContent = kind?.sentence ?? "";
    said.classList.toggle("cw-problem--none", Boolean(kind && !kind.refused));
    field.setAttribute("aria-invalid", String(Boolean(kind?.refused)));
  }

  // Whoever types by hand is not told at every letter that the key is too short, but when they leave the field.
  // Not in that very moment: the sentence moves what is below, and a button that is being pressed would be missed.
  let soon;
  field.addEventListener("blur", () => {
    soon = setTimeout(judge, 300);
  });
  field.form.addEventListener("submit", () => clearTimeout(soon), true);
  field.addEventListener("input", (event) => {
    const byHand = event.inputType === "insertText" || event.inputType?.startsWith("delete");
    if (!byHand || said.textContent) {
      judge();
    }
  });

  const reveal = document.querySelector("[data-reveals]");
  if (reveal) {
    const show = reveal.textContent;
    const turn = (shown) => {
      field.type = shown ? "text" : "password";
      reveal.textContent = shown ? reveal.dataset.hide : show;
    };
    reveal.hidden = false;
    reveal.addEventListener("click", () => turn(field.type === "password"));
    // A browser offers to remember what it sends from a plain text field.
    field.form.addEventListener("submit", () => turn(false), true);
  }
})();
