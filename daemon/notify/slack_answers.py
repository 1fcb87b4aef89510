"""What Slack's answers mean: one word from a webhook, JSON from the Web API, whose refusals are a 200.

The words are those of Slack's changelog for webhooks and of its reference of chat.postMessage.
"""

from dataclasses import dataclass

from daemon.notify.answers import classify
from daemon.notify.base import Failure
from daemon.notify.http import Answer
from daemon.notify.text import cut, one_line
from state.codec import NotJson, from_json

LONGEST_WORD = 150

# The same words as plain text may still be taken.
FORM_REFUSED = frozenset(
    {"invalid_blocks", "invalid_blocks_format", "invalid_payload", "msg_blocks_too_long", "msg_too_long"}
)
# Of internal_error and fatal_error Slack says that some of it may have been done. They count as a 500
# does everywhere: a message that comes twice is the lesser evil.
PASSING = frozenset(
    {
        "ratelimited",
        "rate_limited",
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "team_added_to_org",
        "org_login_required",
    }
)

_NEW_TOKEN = "install the app again and set its new token"  # noqa: S105, advice and no token
_MAY_POST = "an administrator of the workspace must allow the app to post"
_UNARCHIVE = "unarchive the room, or choose another"
ADVICE = {
    "no_service": "the webhook was removed or never was; make a new one and set its address",
    "no_team": "the workspace is gone; make a webhook in another and set its address",
    "invalid_token": "the webhook's address is wrong; copy it again from the app's settings",
    "channel_is_archived": "unarchive the room, or make a webhook for another",
    "action_prohibited": _MAY_POST,
    "restricted_action": _MAY_POST,
    "restricted_action_read_only_channel": "the room takes no posts; choose another as the target",
    "restricted_action_thread_only_channel": "the room takes only replies; choose another as the target",
    "ekm_access_denied": "an administrator has suspended posting; ask them",
    "is_archived": _UNARCHIVE,
    "not_in_channel": "invite the app into the room: /invite @its-name",
    "not_authed": "the token did not arrive; set it again",
    "invalid_auth": "the token is wrong, or this machine's address is not allowed; copy it again",
    "account_inactive": f"the app's user or workspace is gone; {_NEW_TOKEN}",
    "token_revoked": f"the token was revoked; {_NEW_TOKEN}",
    "token_expired": f"the token has run out; {_NEW_TOKEN}",
    "missing_scope": "add the scope chat:write to the app and install it again",
    "no_permission": "add the scope chat:write to the app, install it again, and invite it into the room",
    "not_allowed_token_type": "this kind of token may not post; set the bot's, which begins with xoxb-",
}
_ROOM_OF = {
    "webhook": "the room is gone; make a webhook for another and set its address",
    "token": "the app sees no such room; check the target, and invite the app if the room is private",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """An answer of Slack's, understood."""

    word: str  # Slack's own, or as much as a line of what stood in its place
    failure: Failure | None
    proof: str = ""
    advice: str = ""

    @property
    def is_form_refused(self) -> bool:
        """Whether it was the dress of the message that Slack refused, and not the message."""
        return self.failure is Failure.PERMANENT and self.word in FORM_REFUSED


def heard_from_webhook(answer: Answer) -> Heard:
    """Read what a webhook said: the status decides, the word explains."""
    word = cut(one_line(answer.text), LONGEST_WORD)
    return Heard(
        word=word,
        failure=classify(answer.status),
        proof=f"{answer.status} {word}".strip(),
        advice=_ROOM_OF["webhook"] if word == "channel_not_found" else ADVICE.get(word, ""),
    )


def heard_from_api(answer: Answer) -> Heard:
    """Read what a method of the Web API said: with a 200 its `ok` decides.

    A 200 without one is no proof of anything: somebody else may have answered.
    """
    said = _object(answer.text)
    word = cut(one_line(str(said.get("error", ""))), LONGEST_WORD)
    failure = classify(answer.status)
    if failure is not None:
        shown = word or cut(one_line(answer.text), LONGEST_WORD)
        return Heard(word=shown, failure=failure, advice=_advice(word, said))
    if said.get("ok") is True:
        where = " ".join(one_line(str(said[key])) for key in ("channel", "ts") if key in said)
        return Heard(word="ok", failure=None, proof=cut(f"{answer.status} ok {where}".strip(), LONGEST_WORD))
    if said.get("ok") is False and word:
        failure = Failure.TRANSIENT if word in PASSING else Failure.PERMANENT
        return Heard(word=word, failure=failure, advice=_advice(word, said))
    return Heard(word="without ok", failure=Failure.UNKNOWN, advice="the message may have arrived")


def _advice(word: str, said: dict[str, object]) -> str:
    if word == "channel_not_found":
        return _ROOM_OF["token"]
    if word == "missing_scope" and said.get("needed"):
        needed = cut(one_line(str(said["needed"])), LONGEST_WORD)
        return f"add the scope {needed} to the app and install it again"
    return ADVICE.get(word, "")


def _object(text: str) -> dict[str, object]:
    try:
        value = from_json(text)
    except NotJson:
        return {}
    return value if isinstance(value, dict) else {}
