"""The HTML of a mail: one column for phone and desk, light and dark, with nothing to fetch.

Mail programs know little CSS: what matters is inline, on tables. The classes are for the dark colours,
which need a style sheet; where that is not read the mail is light, and whole.
"""

from collections.abc import Sequence
from html import escape

from daemon.notify.base import Message
from state.records import Severity

# Each carries white letters at a contrast of at least 4.5 to 1 (WCAG 2.1 AA).
BAND = {
    Severity.INFO: "#1d5fa8",
    Severity.WARNING: "#8f5200",
    Severity.ERROR: "#b3261e",
    Severity.CRITICAL: "#7d1128",
}
OVER = "#1b6e3c"
CALM = "#334155"

_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_WRAP = "overflow-wrap:anywhere;word-break:break-word"
_TABLE = '<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0"'
_DARK = (
    "@media (prefers-color-scheme:dark){"
    ".nd-page{background:#0f141a!important}.nd-card{background:#1a212b!important}"
    ".nd-ink{color:#e8ecf1!important}.nd-dim{color:#a3adba!important}.nd-link{color:#8ab8ff!important}"
    ".nd-rule{border-color:#313b48!important}.nd-button{background:#8ab8ff!important;color:#10151c!important}}"
)


class Html:
    """The parts of one mail's page. Whatever text is given is escaped here."""

    def __init__(self, message: Message) -> None:
        self._message = message

    def head(self, subject: str, title: str, body: str, facts: Sequence[tuple[str, str]]) -> str:
        """Everything down to the facts: the band, the title, the paragraphs."""
        colour, label = band(self._message)
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
            '<meta name="color-scheme" content="light dark">\n'
            '<meta name="supported-color-schemes" content="light dark">\n'
            f"<title>{escape(subject)}</title>\n"
            f"<style>:root{{color-scheme:light dark}}{_DARK}</style></head>\n"
            f'<body class="nd-page" style="margin:0;padding:0;background:#eef1f5">\n'
            f'{_TABLE} class="nd-page" style="background:#eef1f5">'
            '<tr><td align="center" style="padding:16px 8px">\n'
            f'{_TABLE} class="nd-card" style="max-width:640px;background:#ffffff">\n'
            f'<tr><td style="background:{colour};padding:10px 20px;color:#ffffff;{_FONT};font-size:13px;'
            f'font-weight:bold;letter-spacing:0.06em">{escape(label)}</td></tr>\n'
            f'<tr><td style="padding:20px;{_FONT};font-size:16px;line-height:1.5;{_WRAP}">\n'
            f'<h1 class="nd-ink" style="margin:0 0 12px;font-size:21px;line-height:1.3;color:#17202b">'
            f"{escape(title)}</h1>\n"
            f"{_paragraphs(body)}{_facts(facts)}"
        )

    def button(self, link: tuple[str, str] | None) -> str:
        """The button; it stands above the entries, for long mails are cut short by those who show them."""
        if link is None:
            return ""
        return (
            f'<p style="margin:0 0 18px"><a class="nd-button" href="{escape(link[1])}" '
            'style="display:inline-block;padding:11px 20px;border-radius:6px;background:#1d5fa8;'
            f'color:#ffffff;font-weight:bold;text-decoration:none">{escape(link[0])}</a></p>\n'
        )

    def entries(self, lines: Sequence[str], more: str) -> str:
        """All entries, and what stands for those left out."""
        if not lines and not more:
            return ""
        listed = "".join(lines)
        if listed.startswith("<li"):
            listed = (
                '<ol class="nd-ink" style="margin:0;padding:0 0 0 2.2em;font-size:14px;color:#17202b">\n'
                f"{listed}</ol>\n"
            )
        left_out = (
            f'<p class="nd-dim" style="margin:12px 0;color:#5b6673">{escape(more)}</p>\n' if more else ""
        )
        return listed + left_out

    @staticmethod
    def entry(title: str, url: str | None, note: str, text: str) -> str:
        """One of few entries."""
        parts = [
            '<div class="nd-rule" style="border-top:1px solid #dde3ea;padding:12px 0">'
            f'<div class="nd-ink" style="font-weight:bold;color:#17202b">{_linked(title, url)}</div>'
        ]
        if note:
            parts.append(f'<div class="nd-dim" style="font-size:13px;color:#5b6673">{escape(note)}</div>')
        if text:
            parts.append(f'<div class="nd-ink" style="margin-top:4px;color:#17202b">{escape(text)}</div>')
        return "".join((*parts, "</div>\n"))

    @staticmethod
    def line(title: str, url: str | None, note: str) -> str:
        """One of many entries."""
        said = f' <span class="nd-dim">{escape(note)}</span>' if note else ""
        return f"<li>{_linked(title, url)}{said}</li>\n"

    def foot(self, signature: str) -> str:
        """The last line, and the end of the page."""
        return (
            "</td></tr>\n"
            f'<tr><td class="nd-dim nd-rule" style="border-top:1px solid #dde3ea;padding:12px 20px;{_FONT};'
            f'font-size:12px;color:#5b6673;{_WRAP}">{escape(signature)}</td></tr>\n'
            "</table>\n</td></tr></table>\n</body></html>\n"
        )


def band(message: Message) -> tuple[str, str]:
    """The colour of the band over a mail and the words in it."""
    if message.kind == "resolved":
        return OVER, "RESOLVED"
    if message.severity is None:
        return CALM, message.kind[:40].upper()
    label = message.severity.value.upper()
    known = {"alert": label, "escalation": f"ESCALATED · {label}"}
    return BAND[message.severity], known.get(message.kind, f"{message.kind[:40].upper()} · {label}")


def _paragraphs(body: str) -> str:
    paragraphs = (escape(part).replace("\n", "<br>") for part in body.split("\n\n") if part)
    style = 'class="nd-ink" style="margin:0 0 12px;color:#17202b"'
    return "".join(f"<p {style}>{paragraph}</p>\n" for paragraph in paragraphs)


def _facts(facts: Sequence[tuple[str, str]]) -> str:
    if not facts:
        return ""
    name_style = 'class="nd-dim" valign="top" style="padding:3px 14px 3px 0;color:#5b6673"'
    value_style = 'class="nd-ink" valign="top" style="padding:3px 0;color:#17202b"'
    rows = "".join(
        f"<tr><td {name_style}>{escape(name)}</td><td {value_style}>{escape(value)}</td></tr>\n"
        for name, value in facts
    )
    return f'{_TABLE} style="margin:0 0 16px;{_FONT};font-size:15px;{_WRAP}">\n{rows}</table>\n'


def _linked(title: str, url: str | None) -> str:
    if url is None:
        return escape(title)
    return f'<a class="nd-link" href="{escape(url)}" style="color:#1d5fa8">{escape(title)}</a>'
