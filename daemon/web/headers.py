"""The headers of every answer: what a browser may do with it, and who may keep it."""

from collections.abc import Mapping

TOTAL_HEADER = "X-Total-Count"  # how many rows there are, where only some are shown
# Nothing inline, nothing from elsewhere, in no frame; what is no page has no use for any of it.
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
SECURITY: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "Server": "nightdesk",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
NEVER_KEPT: Mapping[str, str] = {**SECURITY, "Cache-Control": "no-store"}
# May be kept by whoever asked, and is asked for each time: the answer to that is a short 304.
ASKED_AGAIN: Mapping[str, str] = {**SECURITY, "Cache-Control": "private, no-cache"}
