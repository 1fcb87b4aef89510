"""Who asks, and what that caller may."""

from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """What a caller has to be allowed to."""

    OPEN = "open"
    READ = "read"
    OPERATE = "operate"


@dataclass(frozen=True, slots=True)
class Caller:
    """Whoever showed a token, by the name that token has in the configuration."""

    name: str
    scopes: frozenset[Scope]

    def may(self, scope: Scope) -> bool:
        """Whether this much is allowed; what is open is allowed to anybody."""
        return scope is Scope.OPEN or scope in self.scopes


READER = frozenset({Scope.READ})
OPERATOR = frozenset({Scope.READ, Scope.OPERATE})
# Whoever can open the control socket owns the home, and needs no token.
LOCAL = Caller("local", OPERATOR)
