/* The door: a token, tried at once, kept for this tab. */

import { ask } from "../api.js";
import { field } from "../dialogs.js";
import { el } from "../dom.js";
import { session } from "../session.js";

/** A token as it can be sent: a header takes nothing else. */
function fit(text) {
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new Error("That is no token: it has blanks or letters that none has. Look whether it was copied whole.");
}

/** The form; `entered` is called when the token was taken. */
export function draw(entered) {
  const token = field({ name: "token", label: "Token", type: "password", required: true, maxlength: 512, spellcheck: "false", hint: "The one from the configuration, or of `nightdesk token new`. It is kept for this tab only." });
  const problem = el("p", { class: "problem", role: "alert", hidden: session.reason === null }, session.reason ?? "");

  async function submit(event) {
    event.preventDefault();
    problem.hidden = true;
    try {
      session.keep(fit(token.input.value.trim()));
      session.accept((await ask("api/me")).value);
      entered();
    } catch (error) {
      session.drop();
      problem.textContent = error.message;
      problem.hidden = false;
      token.input.select();
    }
  }

  return el("div", { class: "door", "data-key": "door" },
    el("h1", { id: "title", tabindex: "-1" }, "Who is there?"),
    el("form", { class: "form card", onsubmit: submit }, token.node, problem,
      el("div", { class: "actions" }, el("button", { class: "button primary", type: "submit" }, "Sign in"))));
}
