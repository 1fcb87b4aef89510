"""How mail by SMTP is tried: a real server with STARTTLS and a login, and ones that fail at every step."""

from collections.abc import Mapping
from functools import partial
from typing import Any

from daemon.notify.base import Failure
from daemon.secret import Secret
from tests.contracts.rig import Opening, Rig, There
from tests.daemon.notify.mail_servers import MailServer, dripping, pouring, real, saying
from tests.daemon.notify.receivers import TOKEN, hanging_up, resetting, silent, talking_nonsense

STEPS = ("greeting", "EHLO", "AUTH", "MAIL", "RCPT", "DATA")
LOST = {
    "silence": silent,
    "a reset": resetting,
    "a closed door": hanging_up,
    "nonsense": talking_nonsense,
    "a dripping answer": dripping,
}


def _options(there: There) -> Mapping[str, Any]:
    assert isinstance(there, MailServer)
    return {**there.options, "password": Secret(TOKEN)}


def _after_the_dot(say: Any) -> Opening:
    # What is asked instead of sending a mail is answered in the same way.
    return partial(saying, end=say, RSET=say)


TRANSIENT: dict[str, Opening] = {
    f"{step} 451": partial(saying, **{step: f"451 4.7.1 later {TOKEN}"}) for step in (*STEPS, "end")
}
TRANSIENT |= {f"a reset at {step}": partial(saying, **{step: resetting}) for step in STEPS}
TRANSIENT |= {f"silence at {step}": partial(saying, **{step: silent}) for step in ("greeting", "DATA")}
PERMANENT: dict[str, Opening] = {
    f"{step} 550": partial(saying, **{step: f"550 5.7.1 never {TOKEN}"})
    for step in ("greeting", "MAIL", "RCPT", "DATA", "end")
}
PERMANENT["AUTH 535"] = partial(saying, AUTH=f"535 5.7.8 not with {TOKEN}")
PERMANENT["no login"] = partial(saying, EHLO=f"250 mail.example greets {TOKEN}")

RIG = Rig(
    options=_options,
    strict=real,
    failing={
        Failure.TRANSIENT: TRANSIENT,
        Failure.PERMANENT: PERMANENT,
        Failure.UNKNOWN: {how: _after_the_dot(script) for how, script in LOST.items()},
    },
    silent=partial(saying, end=silent),
    echoing=partial(saying, end=f"250 {TOKEN} taken", AUTH=f"235 {TOKEN}"),
    endless={"dripping": _after_the_dot(dripping), "pouring": _after_the_dot(pouring)},
    hurried={"daemon.notify.smtp.TOTAL_S": 1.5, "daemon.notify.smtp_session.STEP_S": 1.0},
)
