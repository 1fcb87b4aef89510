/* Questions before something is done. A native dialog: Escape leaves it, and the focus goes back. */

import { el } from "./dom.js";
import { announce } from "./announce.js";

let names = 0;

/**
 * Ask, and do it when it was confirmed. `fields` are made by `field`; `act` gets their values by name.
 * What goes wrong is said in the dialog, which stays open, so that nothing typed is lost.
 */
export function confirm({ title, text, fields = [], verb, isGrave = false, act, done }) {
  const id = `dialog-${(names += 1)}`;
  const opener = document.activeElement;
  const problem = el("p", { class: "problem", role: "alert", hidden: true });
  const yes = el("button", { class: isGrave ? "button grave" : "button primary", type: "submit" }, verb);
  const dialog = el("dialog", { class: "dialog", "aria-labelledby": id },
    el("form", { onsubmit: submit },
      el("h2", { id }, title),
      text ? el("p", { class: "quiet" }, text) : null,
      fields.map((it) => it.node),
      problem,
      el("div", { class: "actions" },
        el("button", { class: "button", type: "button", onclick: () => dialog.close() }, "Cancel"), yes)));

  async function submit(event) {
    event.preventDefault();
    problem.hidden = true;
    yes.disabled = true;
    try {
      const given = Object.fromEntries(fields.map((it) => [it.name, it.input.value.trim()]));
      const answer = await act(given);
      dialog.close();
      if (done) announce(typeof done === "function" ? done(answer) : done);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
    yes.disabled = false;
  }

  dialog.addEventListener("close", () => {
    dialog.remove();
    // The button may have been drawn anew meanwhile; its like, by id, is as good.
    (opener?.isConnected ? opener : document.getElementById(opener?.id))?.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  (fields[0]?.input ?? yes).focus();
}

/** A labelled input: {name, input, node}. What is drawn again and again needs an id of its own. With `choices` ([value, text] each) it is a list to choose from. */
export function field({ name, label, hint, value = "", choices, id = `field-${name}-${(names += 1)}`, ...attributes }) {
  const described = hint ? { "aria-describedby": `${id}-hint` } : {};
  const input = choices
    ? el("select", { id, name, ...described }, choices.map(([each, text]) => el("option", { value: each, selected: each === value }, text)))
    : el("input", { id, name, value, autocomplete: "off", ...described, ...attributes });
  const node = el("div", { class: "field" },
    el("label", { for: id }, label), input, hint ? el("p", { id: `${id}-hint`, class: "hint" }, hint) : null);
  return { name, input, node };
}
