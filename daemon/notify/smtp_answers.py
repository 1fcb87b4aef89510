"""What a mail server's answers and silences mean (RFC 5321, 4.2; RFC 4954, 6; RFC 3463)."""

import os
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from daemon.notify.base import ChannelError, Failure
from daemon.notify.text import cut, one_line

LONGEST_REPLY = 160
MOST_SHOWN = 5  # of the recipients, in an error
# A server that greylists takes the same mail after one to five minutes, as a rule.
LATER = timedelta(minutes=2)
_TRY_LATER = frozenset({450, 451, 452})

ADVICE = {
    454: "its login or its encryption is out of order for the moment",
    521: "it takes no mail at all; check host and port",
    530: "it wants a login or encryption first; set user and password, and tls",
    534: "it wants another way to log in; an app password, made in the account's settings, often is one",
    535: "user or password is wrong; where the account has a second factor, make an app password for it",
    538: "it takes the password over an encrypted connection only; set tls to starttls",
    552: "the mail is too big for it, or the mailbox is full",
}
NOT_TRUSTED = "set caFile where the server's certificate is signed by your own authority"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said: its code, and one line of its text without any secret."""

    code: int
    text: str

    @property
    def is_taken(self) -> bool:
        return 200 <= self.code < 300

    @property
    def may_pass(self) -> bool:
        """Whether the same may be taken later."""
        return 400 <= self.code < 500

    @property
    def is_refusal(self) -> bool:
        """Whether it is known that nothing was taken."""
        return 400 <= self.code < 600

    def __str__(self) -> str:
        return cut(f"{self.code} {one_line(self.text)}".strip(), LONGEST_REPLY)


def refused(host: str, what: str, reply: Reply, *, is_sent: bool = False) -> ChannelError:
    """The error for an answer that is no yes; `is_sent` says that it came after the end of a mail."""
    if not reply.is_refusal:
        failure = Failure.UNKNOWN if is_sent else Failure.TRANSIENT
        return ChannelError(f"{host} answered what is no SMTP to {what}: {reply}", failure=failure)
    advice = f": {ADVICE[reply.code]}" if reply.code in ADVICE else ""
    return ChannelError(
        f"{host} refused {what}: {reply}{advice}",
        failure=Failure.TRANSIENT if reply.may_pass else Failure.PERMANENT,
        retry_after=LATER if reply.code in _TRY_LATER else None,
    )


def all_refused(host: str, replies: Mapping[str, Reply]) -> ChannelError:
    """The error where not one recipient was taken; one that may be later is enough to try again."""
    failure = Failure.TRANSIENT if any(reply.may_pass for reply in replies.values()) else Failure.PERMANENT
    said = [f"{cut(address, 80)}: {reply}" for address, reply in list(replies.items())[:MOST_SHOWN]]
    if len(replies) > MOST_SHOWN:
        said.append(f"and {len(replies) - MOST_SHOWN} more")
    return ChannelError(
        f"{host} took none of the recipients; {'; '.join(said)}",
        failure=failure,
        retry_after=LATER if failure is Failure.TRANSIENT else None,
    )


def lost(host: str, step: str, error: OSError, *, is_sent: bool) -> ChannelError:
    """The error where there was no answer: too late, cut off, never reached, or not trusted."""
    causes = list(_causes(error))
    tls = next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None)
    if tls is not None and not is_sent and (told := _mistrust(host, tls)):
        return ChannelError(told, failure=Failure.PERMANENT)
    why = next(filter(None, map(_reason, reversed(causes))), "")
    how = "hung up" if step != "connect" else "could not be reached"
    how = "did not answer in time" if isinstance(error, TimeoutError) else f"{how} ({why})" if why else how
    if is_sent:
        return ChannelError(
            f"{host} {how} after the end of the mail; it may have arrived", failure=Failure.UNKNOWN
        )
    return ChannelError(f"{host} {how} at the step {step}; nothing was sent")


def _causes(error: OSError) -> Iterator[OSError]:
    """The error, and what the library wrapped in it."""
    seen: BaseException | None = error
    for _ in range(4):
        if isinstance(seen, OSError):
            yield seen
        seen = None if seen is None else seen.__cause__


def _reason(error: OSError) -> str:
    """The system's word for what happened; the texts of the loops hold addresses, and differ."""
    if isinstance(error, ssl.SSLError):
        return str(getattr(error, "reason", None) or "TLS broke").replace("_", " ").lower()
    if error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return error.strerror or ""  # a name that is not found


def _mistrust(host: str, error: ssl.SSLError) -> str | None:
    """What is wrong with the TLS of a server, where it is not just a connection that broke."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = getattr(error, "verify_message", "")
        return f"the certificate of {host} is not trusted ({why}); {NOT_TRUSTED}"
    if getattr(error, "reason", "") in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"):
        return f"{host} does not speak TLS from the first byte on; set tls to starttls (mostly port 587)"
    return None
