/* Words for screen readers, and a line at the foot of the page for everybody else. */

const SHOWN_MS = 8_000;
let timer = null;

/** Say something that happened. Errors are said at once, the rest when the reader pauses; `isSeen` where it is to be read elsewhere. */
export function announce(text, { isError = false, isSeen = false } = {}) {
  const place = document.getElementById(isError ? "said-at-once" : "said");
  const shown = document.getElementById("notice");
  place.textContent = text;
  shown.textContent = text;
  shown.className = isError ? "notice bad" : "notice";
  shown.hidden = isSeen;
  clearTimeout(timer);
  timer = setTimeout(() => {
    shown.hidden = true;
    place.textContent = "";
  }, SHOWN_MS);
}
