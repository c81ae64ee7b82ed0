"""What the facts mean for the tier: findings, each with its weight."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from msgspec import Struct

from .facts import SLOTS, Facts, Node


class Weight(IntEnum):
    """How bad a finding is; the worst one is the exit status."""

    FINE = 0
    WARNING = 1
    UNUSABLE = 2


class Finding(Struct, frozen=True):
    """One thing that was found, in words."""

    weight: Weight
    about: str
    text: str


OLDEST: Final = {"Redis": (7,), "Valkey": (7, 2)}
BUDGET: Final = 0.05
"""Seconds: the default of `Shared(budget=...)`."""
_KEEPS_STATES: Final = ("allkeys-lru", "volatile-lru")
_EVICTS_THE_YOUNG: Final = {
    "allkeys-lfu": "evicts what was used least, and so the newest entries first",
    "volatile-lfu": "evicts what was used least, and so the newest entries first",
    "allkeys-random": "evicts at random, states that are in use too",
    "volatile-random": "evicts at random, states that are in use too",
    "volatile-ttl": "evicts what expires next, and so values before their states, and new ones before old ones",
}


def judge(facts: Facts) -> list[Finding]:
    """The findings, in the order in which they are best read.

    >>> [(finding.weight.name, finding.text) for finding in judge(Facts("shop", unreachable="it does not answer"))]
    [('UNUSABLE', 'it does not answer')]
    """
    if facts.unreachable is not None:
        return [Finding(Weight.UNUSABLE, "server", facts.unreachable)]
    return [
        *(finding for node in facts.nodes for finding in _of_node(node)),
        _topology(facts),
        *_hearing(facts),
        *_rights(facts),
        *_round_trips(facts),
    ]


def status(findings: list[Finding]) -> int:
    """The exit status: 0 fine, 1 warnings, 2 unusable."""
    return int(max((finding.weight for finding in findings), default=Weight.FINE))


def _of_node(node: Node) -> Iterator[Finding]:
    if not node.is_primary:
        yield Finding(
            Weight.UNUSABLE, node.address, "it is a replica, which takes no writes; give the primary's address"
        )
    if node.product is None or node.version is None:
        yield Finding(Weight.WARNING, node.address, "it does not say which version it is")
        return
    version = f"{node.product} {'.'.join(map(str, node.version))}"
    if node.version < OLDEST[node.product]:
        oldest = ".".join(map(str, OLDEST[node.product]))
        yield Finding(Weight.UNUSABLE, node.address, f"{version}; the tier needs {oldest} or newer")
    else:
        yield Finding(Weight.FINE, node.address, version)
    yield from _eviction(node)


def _eviction(node: Node) -> Iterator[Finding]:
    if node.policy is None:
        return
    limit = f"at {_size(node.memory_limit)}" if node.memory_limit else "but no limit is set (maxmemory is 0)"
    about = f"{node.address} eviction"
    if node.policy in _EVICTS_THE_YOUNG:
        advice = f"that is safe, but costs hits: {' or '.join(_KEEPS_STATES)} keeps what is in use"
        yield Finding(Weight.WARNING, about, f"{node.policy} {_EVICTS_THE_YOUNG[node.policy]}; {advice}")
    elif node.policy == "noeviction" and node.memory_limit:
        advice = f"{' or '.join(_KEEPS_STATES)} makes room"
        yield Finding(Weight.WARNING, about, f"noeviction: nothing new is kept once it is full, {limit}; {advice}")
    else:
        evicted = f", {node.evicted} keys so far" if node.evicted else ""
        yield Finding(Weight.FINE, about, f"{node.policy}, {limit}{evicted}")


def _topology(facts: Facts) -> Finding:
    replicas = sum(node.replicas for node in facts.nodes)
    copies = f"{replicas} replica{'' if replicas == 1 else 's'}"
    if facts.topology != "cluster":
        watched = ", watched by sentinels" if facts.topology == "sentinels" else ""
        hint = "; give Shared the client of sentinel.master_for(...)" if watched else ""
        return Finding(Weight.FINE, "topology", f"one primary, {copies}{watched}{hint}")
    count = f"a cluster of {len(facts.nodes)} primaries, {copies}"
    if facts.slots is None:
        return Finding(Weight.WARNING, "topology", f"{count}; it does not say which slots are served")
    if facts.slots < SLOTS:
        return Finding(Weight.UNUSABLE, "topology", f"{count}; {SLOTS - facts.slots} of {SLOTS} slots are not served")
    return Finding(Weight.FINE, "topology", f"{count}, all {SLOTS} slots; give Shared a redis.RedisCluster, not a URL")


def _hearing(facts: Facts) -> Iterator[Finding]:
    if facts.proxy is not None:
        text = f"{facts.proxy}: nobody can be heard there, so each read asks the server, as with local=False"
        yield Finding(Weight.WARNING, "proxy", text)
    if not facts.delays.seconds:
        yield Finding(Weight.WARNING, "messages", "none arrives, so each read asks the server, as with local=False")
    else:
        p50, p99 = (facts.delays.quantile(part) for part in (0.5, 0.99))
        yield Finding(Weight.FINE, "messages", f"arrive after {_time(p50)} (p50), {_time(p99)} (p99)")


def _rights(facts: Facts) -> Iterator[Finding]:
    for refusal in facts.refusals:
        if refusal.costs is None:
            yield Finding(Weight.UNUSABLE, "rights", refusal.why)
        else:
            yield Finding(Weight.WARNING, "rights", f"{refusal.why}; without it, {refusal.costs}")
    if not facts.refusals:
        yield Finding(Weight.FINE, "rights", f"the user may do all that the tier does in namespace {facts.namespace}")


def _round_trips(facts: Facts) -> Iterator[Finding]:
    if not facts.round_trips.seconds:
        return
    p50, p99 = (facts.round_trips.quantile(part) for part in (0.5, 0.99))
    text = f"{_time(p50)} (p50), {_time(p99)} (p99)"
    limit = f"{_time(BUDGET)} is all that a step may take by default (Shared(budget=...))"
    if p50 > BUDGET:
        yield Finding(Weight.UNUSABLE, "round trip", f"{text}; {limit}")
    elif p99 > BUDGET:
        yield Finding(Weight.WARNING, "round trip", f"{text}; {limit}")
    else:
        yield Finding(Weight.FINE, "round trip", text)


def _time(seconds: float) -> str:
    return f"{seconds * 1e6:.0f} us" if seconds < 0.001 else f"{seconds * 1000:.1f} ms"


def _size(bytes: int | None) -> str:
    return "?" if bytes is None else f"{bytes / 2**20:,.1f} MiB"
