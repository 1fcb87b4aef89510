/* Where in the page one is: the part of the address after the #. */

/** The parts of the place: "#/reports/AA/2026-11-22" is ["reports", "AA", "2026-11-22"]. */
export function place() {
  return location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a place, by its parts. */
export const to = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;

export function go(...parts) {
  location.hash = to(...parts);
}

export function onMove(moved) {
  addEventListener("hashchange", moved);
}
