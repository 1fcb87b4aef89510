"""The headers of every answer: what a browser may do with it, and who may keep it."""

from collections.abc import Mapping

from multidict import istr

TOTAL_HEADER = "X-Total-Count"  # how many rows there are, where only some are shown
# Nothing inline, nothing from elsewhere, in no frame; what is no page has no use for any of it.
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
# The names are of the library's own kind: to make such of them for every answer would take 2 us.
SECURITY: Mapping[str, str] = {
    istr("Content-Security-Policy"): POLICY,
    istr("Server"): "nightdesk",
    istr("X-Content-Type-Options"): "nosniff",
    istr("X-Frame-Options"): "DENY",
    istr("Referrer-Policy"): "no-referrer",
    istr("Cross-Origin-Opener-Policy"): "same-origin",
    istr("Cross-Origin-Resource-Policy"): "same-origin",
    istr("Permissions-Policy"): "camera=(), geolocation=(), microphone=()",
}
NEVER_KEPT: Mapping[str, str] = {**SECURITY, istr("Cache-Control"): "no-store"}
# May be kept by whoever asked, and is asked for each time: the answer to that is a short 304.
ASKED_AGAIN: Mapping[str, str] = {**SECURITY, istr("Cache-Control"): "private, no-cache"}
