/* The door: a token, tried at once, kept for this tab. */

import { ask } from "../api.js";
import { field } from "../dialogs.js";
import { el } from "../dom.js";
import { session } from "../session.js";

/** The form; `entered` is called when the token was taken. */
export function draw(entered) {
  const token = field({ name: "token", label: "Token", type: "password", required: true, maxlength: 512, spellcheck: "false", hint: "The one from the configuration, or of `nightdesk token new`. It is kept for this tab only." });
  const problem = el("p", { class: "problem", role: "alert", hidden: session.reason === null }, session.reason ?? "");

  async function submit(event) {
    event.preventDefault();
    problem.hidden = true;
    session.keep(token.input.value.trim());
    try {
      session.accept((await ask("api/me")).value);
      entered();
    } catch (error) {
      session.drop();
      problem.textContent = error.status === 401 ? "This token is not known. Look whether all of it was copied." : error.message;
      problem.hidden = false;
      token.input.select();
    }
  }

  return el("div", { class: "door", "data-key": "door" },
    el("h1", { id: "title", tabindex: "-1" }, "Who is there?"),
    el("form", { class: "form card", onsubmit: submit }, token.node, problem,
      el("div", { class: "actions" }, el("button", { class: "button primary", type: "submit" }, "Sign in"))));
}
