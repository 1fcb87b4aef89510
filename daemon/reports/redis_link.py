"""The Redis of `redis.url`: whether it takes a write and gives it back, and what it says of itself."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from ssl import SSLCertVerificationError
from typing import Any

from daemon.clock import Clock
from daemon.notify.base import Step
from daemon.reports.link import LinkDown
from daemon.secret import Secret
from daemon.watch.alerts import Alerts
from state.records import Severity

ALERT = "redis.down"
# The client's own limits are for each read and each connect; this one is for all of them together.
WITHIN_S = 5.0
CLOSE_S = 1.0
EXPIRES_S = 60
# What a queue and its operator want to know (fields of INFO, Redis 7).
FACTS = (
    "redis_version", "role", "master_link_status", "loading", "used_memory", "maxmemory", "maxmemory_policy",
    "evicted_keys", "rejected_connections", "connected_clients", "maxclients", "blocked_clients",
    "rdb_last_bgsave_status", "aof_last_write_status", "total_error_replies",
)  # fmt: skip
NEARLY_FULL = 0.9

# What the first word of a refusal means (PROTOCOLS of Redis' errors: upper case, then a space).
REFUSALS = {
    "OOM": "its memory is full, it takes no writes; raise maxmemory or remove keys",
    "READONLY": "it is a replica and takes no writes; name the primary in redis.url",
    "NOAUTH": "it wants a password; put one into redis.url",
    "WRONGPASS": "it does not accept the user or the password in redis.url",
    "NOPERM": "its user may not do that; allow SET, GET and INFO on nightdesk:*",
    "LOADING": "it is reading its data from the disk; it comes back by itself",
    "MISCONF": "it cannot save to its disk and takes no writes; look at its log and its disk",
    "MASTERDOWN": "it is a replica without its primary",
}  # fmt: skip
NOT_TRUSTED = (
    "its certificate is not trusted; add ?ssl_ca_certs=FILE with its authority's to redis.url, or mend it"
)
# The client knows some of these by class, and has cut the word off their texts.
CLASSES = {
    "OutOfMemoryError": "OOM",
    "ReadOnlyError": "READONLY",
    "AuthenticationError": "WRONGPASS",
    "AuthenticationWrongNumberOfArgsError": "WRONGPASS",
    "AuthorizationError": "NOAUTH",
    "NoPermissionError": "NOPERM",
    "BusyLoadingError": "LOADING",
    "MasterDownError": "MASTERDOWN",
}


class RedisLink:
    """One connection pool to it, made with the first question and again after whatever broke it."""

    name = "redis"
    alert = ALERT

    def __init__(self, url: Secret) -> None:
        self._url = url
        self._client: Any = None
        self._key = f"nightdesk:probe:{uuid.uuid4().hex}"

    async def probe(self, now: datetime) -> Mapping[str, Any]:
        """Write a value that expires, read it back; what the server says of itself.

        Raises:
            LinkDown: it did not, within 5 s in all. PING proves less: a full Redis answers it.
        """
        async with _bounded():
            await self._write_and_read(now)
            return await self._facts()

    async def steps(self, clock: Clock) -> list[Step]:
        """The same step by step, for who asks; ends with the first that fails."""
        taken: list[Step] = []
        ways: tuple[tuple[str, Callable[[], Awaitable[str]]], ...] = (
            ("connect", self._connect),
            ("write", lambda: self._write(clock.now())),
            ("read", lambda: self._read(clock.now())),
            ("info", self._info),
        )
        for name, way in ways:
            began_s = clock.monotonic()
            try:
                async with _bounded():
                    detail, is_ok = await way(), True
            except LinkDown as down:
                detail, is_ok = str(down), False
            taken.append(Step(name=name, is_ok=is_ok, detail=detail, took_s=clock.monotonic() - began_s))
            if not is_ok:
                break
        return taken

    async def alarm(self, alerts: Alerts, summary: str, details: Mapping[str, Any]) -> None:
        """Alert that it is down."""
        await alerts.fire(
            ALERT,
            severity=Severity.ERROR,
            summary=summary,
            details=details,
            advice="nightdesk test redis",
        )

    async def close(self) -> None:
        if self._client is None:
            return
        client, self._client = self._client, None
        try:
            async with asyncio.timeout(CLOSE_S):
                await client.aclose()
        except (TimeoutError, OSError):
            return  # the connection goes with the process that held it still

    async def _connect(self) -> str:
        await self._opened().ping()
        return "answered PING"

    async def _write(self, now: datetime) -> str:
        await self._opened().set(self._key, now.isoformat(), ex=EXPIRES_S)
        return f"took a value that expires in {EXPIRES_S} s"

    async def _read(self, now: datetime) -> str:
        if not await self._opened().get(self._key):
            raise LinkDown("it took a value and did not give it back; something else removes its keys")
        return "gave it back"

    async def _info(self) -> str:
        facts = await self._facts()
        warned = cautions(facts)
        if warned:
            return "; ".join(warned)
        return f"version {facts['redis_version']}, {facts['role']}" if facts else "it does not tell"

    async def _write_and_read(self, now: datetime) -> None:
        value = now.isoformat()
        await self._opened().set(self._key, value, ex=EXPIRES_S)
        if await self._opened().get(self._key) != value.encode():
            raise LinkDown("it took a value and did not give it back; something else removes its keys")

    async def _facts(self) -> Mapping[str, Any]:
        from redis.exceptions import NoPermissionError

        try:
            said = await self._opened().info()
        except NoPermissionError:
            return {}  # a user that may write and read is enough
        return {name: said[name] for name in FACTS if name in said}

    def _opened(self) -> Any:
        if self._client is None:
            self._client = _client(self._url)
        return self._client


def cautions(facts: Mapping[str, Any]) -> list[str]:
    """What will be trouble later, though writes still go through."""
    found = []
    limit, used = int(facts.get("maxmemory") or 0), int(facts.get("used_memory") or 0)
    policy = facts.get("maxmemory_policy")
    if limit and policy != "noeviction":
        found.append(f"maxmemory-policy is {policy}: when it is full it drops keys; set noeviction")
    if limit and used > NEARLY_FULL * limit:
        found.append(f"its memory is {100 * used // limit} % full")
    if facts.get("rdb_last_bgsave_status") == "err":
        found.append("its last save to the disk failed")
    if facts.get("aof_last_write_status") == "err":
        found.append("its last write to the append-only file failed")
    return found


def _client(url: Secret) -> Any:
    """The client as it was found to behave: it retries nothing by itself, and waits for nothing for long."""
    from redis.asyncio import Redis
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff

    address = url.reveal()
    of_tcp = {} if address.startswith("unix://") else {"socket_keepalive": True}
    try:
        client: Any = Redis.from_url(
            address,
            socket_timeout=3,
            socket_connect_timeout=2,
            health_check_interval=15,
            retry=Retry(NoBackoff(), 0),
            retry_on_timeout=False,
            max_connections=20,
            protocol=2,
            client_name="nightdesk",
            **of_tcp,
        )
        # Connects to nothing yet; options of the address that there are none of are found out now.
        client.connection_pool.make_connection()
    except (ValueError, TypeError):
        # Its text may repeat the address with the password.
        raise LinkDown("redis.url is no address that the client can read") from None
    return client


@asynccontextmanager
async def _bounded() -> AsyncIterator[None]:
    """Give a question 5 s, and say what came of it in our own words, none of which shows the address."""
    from redis.exceptions import RedisError

    try:
        async with asyncio.timeout(WITHIN_S):
            yield
    except TimeoutError:
        raise LinkDown("it does not answer in time; the machine, the network or the server hangs") from None
    except (RedisError, OSError) as error:
        raise LinkDown(reason_of(error)) from error


def reason_of(error: BaseException) -> str:
    """Why it counts as down, and what to do: told by the word a refusal begins with, else by its class."""
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.exceptions import TimeoutError as RedisTimeoutError

    text = str(error)
    word = text.partition(" ")[0].rstrip(":.")
    if "Authentication required" in text:
        word = "NOAUTH"
    elif word not in REFUSALS:
        word = CLASSES.get(type(error).__name__, word)
    if word in REFUSALS:
        return f"{word}: {REFUSALS[word]}"
    if isinstance(error, RedisTimeoutError):
        return "it does not answer in time; the machine, the network or the server hangs"
    if _is_distrust(error):
        return NOT_TRUSTED
    if isinstance(error, OSError) and error.strerror:
        return f"it cannot be reached: {error.strerror}"
    if isinstance(error, RedisConnectionError):
        if "max number of clients" in text:
            return "it takes no more clients; raise its maxclients, or find who leaves connections open"
        cause = error.__cause__ or error.__context__
        why = cause.strerror if isinstance(cause, OSError) and cause.strerror else "the connection broke"
        return f"it cannot be reached: {why}"
    return f"it refused: {word or type(error).__name__}"


def _is_distrust(error: BaseException) -> bool:
    """Whether it was we who hung up, over its certificate; the client may have wrapped that."""
    links = (error, error.__cause__, error.__context__)
    return any(isinstance(it, SSLCertVerificationError) for it in links)
