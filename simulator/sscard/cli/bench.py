"""``sscard bench``: latency and throughput of operations under load, and where the time goes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sscard.cli.chosen import chosen_issuing, hsm_refusals
from sscard.cli.options import (
    Transport,
    hsm_option,
    hsm_token_option,
    journal_key_option,
    json_option,
    roots_option,
    transport_option,
)
from sscard.cli.output import check_output
from sscard.cli.target import tell
from sscard.cli.testbed import under_test
from sscard.cli.types import CARD, FILE, JOURNAL, LIMIT, PERCENT, PERSONALITY, SEED, Number, Text
from sscard.cli.usage import argument, command, excluding, given_names, option, shown_command
from sscard.errors import InputError
from sscard.i18n.language import N_, _

if TYPE_CHECKING:
    from sscard.benchmark.clients import Journals
    from sscard.benchmark.comparison import Earlier
    from sscard.benchmark.flows import Measured
    from sscard.benchmark.load import Load
    from sscard.benchmark.result import FlowResult
    from sscard.benchmark.thresholds import Threshold
    from sscard.scenario import Scenario
    from sscard.scenario.issuing import Issuer
    from sscard.scenario.testbed.file import Testbed

MOST_CLIENTS: Final = 64
MOST_ROUNDS: Final = 20
OPEN_CLIENTS: Final = 8
"""Clients of an open load if their number is not given."""
DURATION: Final = 10.0
"""Seconds that are measured if neither duration nor count is given."""
FAIL_ABOVE: Final = 0.2


def flow_names() -> list[str]:
    """The names of the flows, for completion."""
    from sscard.benchmark.flows import FLOWS

    return [*FLOWS]


@command("bench")
@argument(
    "flows",
    metavar=N_("FLOW"),
    type=Text(N_("FLOW"), flow_names, files=True, path="(?P<path>.*[./].*)"),
    nargs=-1,
    required=True,
    help=N_(
        "change, reset, unblock, verify, read, driver-change, driver-reset, case (each reason), case:leaked, "
        "case:forgotten, case:locked, case:locked-known, or a scenario file."
    ),
)
@option(
    "--clients",
    type=Number(1, MOST_CLIENTS),
    help=N_("Clients that operate at the same time. Default: 1, 8 with --rate."),
)
@option("--think", type=Number(0, 3600, float), default=0.0, help=N_("Seconds that a client waits after an operation."))
@option(
    "--rate",
    type=Number(0.001, 1_000_000, float),
    help=N_("Open load: operations per second, started on schedule; latency counts from the scheduled start."),
)
@option("--warm-up", type=Number(0, 3600, float), default=1.0, help=N_("Seconds before the measurement begins."))
@option("--duration", type=Number(0.01, 1_000_000, float), help=N_("Seconds to measure. Default: 10."))
@option("--count", type=Number(1), help=N_("Number of operations to measure, in place of a duration."))
@option(
    "--rounds", type=Number(1, MOST_ROUNDS), default=5, help=N_("Parts of the measurement, whose spread is the noise.")
)
@option("--personality", type=PERSONALITY, default="", help=N_("Personality of the cards: a preset or a file."))
@transport_option
@option("--card", type=CARD, default="", help=N_("Measure this card: pcsc:READER, tcp:HOST:PORT, exec:COMMAND, …"))
@option("--testbed", type=FILE, help=N_("Measure the card of a testbed file, which says what may be done to it."))
@hsm_option
@hsm_token_option
@roots_option
@option(
    "--journal",
    type=JOURNAL,
    default="",
    help=N_("Journal of cases: SQLite file or postgresql://… Default: in memory."),
)
@journal_key_option
@option("--seed", type=SEED, default=1, help=N_("Seed of the card and its challenges."))
@option(
    "--threshold",
    "thresholds",
    type=LIMIT,
    multiple=True,
    help=N_("Exit 1 if this does not hold: 'p99<300ms', 'change:throughput>=50/s', 'errors<1%'."),
)
@option("--against", type=FILE, help=N_("Compare with an earlier benchmark: the output of --json in a file."))
@option(
    "--fail-above",
    type=PERCENT,
    help=N_("Exit 1 if a flow is slower than in --against by more than this. Default: 20%."),
)
@option("--html", type=FILE, help=N_("Write the result as one HTML page. An existing file is replaced."))
@option(
    "--pytest-benchmark",
    "pytest_file",
    type=FILE,
    help=N_("Write the result in the form of pytest-benchmark. An existing file is replaced."),
)
@json_option
def bench(
    flows: tuple[str, ...],
    clients: int | None,
    think: float,
    rate: float | None,
    warm_up: float,
    duration: float | None,
    count: int | None,
    rounds: int,
    personality: str,
    transport: Transport,
    card: str,
    testbed: Path | None,
    hsm: str,
    hsm_token: Path | None,
    keys: Path | None,
    journal: str,
    journal_key: Path | None,
    seed: int,
    thresholds: tuple[Threshold, ...],
    against: Path | None,
    fail_above: float | None,
    html: Path | None,
    pytest_file: Path | None,
    as_json: bool,
) -> None:
    """Measure latency and throughput of operations under load, and the time that each layer takes.

    An operation begins with power-on and finds its card in the same state as
    any other; bringing it there is not measured. Needs the extra
    'sscard[bench]'. Exits 1 if a threshold does not hold, if a flow is slower
    than --fail-above permits, or if operations fail without a threshold for
    errors, 130 on Ctrl-C with what was measured.
    """
    from sscard.benchmark.environment import machine
    from sscard.benchmark.outcome import Outcome
    from sscard.benchmark.result import Benchmark
    from sscard.cli.bench_output import finish
    from sscard.cli.journal import open_cases
    from sscard.scenario.issuing import OwnCards

    for file in (html, pytest_file):
        if file:
            check_output(file, replace=True)
    found = under_test(card, testbed, personality, lambda: chosen_issuing(hsm, keys, hsm_token), ())
    on_card, issuing = None if isinstance(found, OwnCards) else found, found.issuing
    load = _load(clients, think, rate, warm_up, duration, count, rounds, transport, on_card)
    chosen = _chosen(flows, thresholds, personality, on_card)
    cases = _has_cases(chosen)
    if journal and not cases:
        raise InputError(
            _("--journal: only cases are written to a journal"),
            remedy=_("leave --journal out, or add the flow case"),
        )
    earlier = _earlier(against, fail_above, [*chosen])
    shown = _shown(issuing.hsm, journal if cases else None, on_card)
    started, begun = datetime.now(UTC), time.monotonic()
    with hsm_refusals(), issuing.open() as issuer:
        journals = partial(open_cases, journal, journal_key) if journal else None
        results = _results(chosen, load, issuer, journals, transport, personality, seed, on_card)
    written = {journal: shown["journal"]} if "://" in journal else {}  # a path is no secret
    measured = Benchmark(
        flows=results,
        load=load,
        environment={
            **machine(pcsc=transport is Transport.PCSC),
            "transport": transport.value,
            "personality": ", ".join(_personalities([chosen[each.name] for each in results], personality)),
            **shown,
        },
        seed=seed,
        command=shown_command({hsm: shown["hsm"], card: shown.get("card", ""), **written}),
        started=started,
        seconds=time.monotonic() - begun,
    )
    share = FAIL_ABOVE if fail_above is None else fail_above
    finish(
        Outcome(measured, thresholds, earlier.compared(measured, share) if earlier else None),
        html,
        pytest_file,
        as_json=as_json,
    )


def _results(
    chosen: Mapping[str, Measured | Scenario],
    load: Load,
    issuer: Issuer,
    journals: Journals | None,
    transport: Transport,
    personality: str,
    seed: int,
    on_card: Testbed | None,
) -> list[FlowResult]:
    """Measure the flows one after another; after Ctrl-C those that were begun."""
    from sscard.benchmark.clients import Behind
    from sscard.benchmark.flows import Measured, NotCompleted
    from sscard.benchmark.held import measure_held
    from sscard.benchmark.measure import card_for, measure
    from sscard.benchmark.pcsc import Terminals, over_pcsc
    from sscard.benchmark.scenarios import measure_scenario
    from sscard.cli.bench_output import progress
    from sscard.issuer.issue import DEFAULT
    from sscard.terminal.cards import open_card
    from sscard.terminal.errors import ApduError

    behind = Behind(issuer.hsm, journals)
    results: list[FlowResult] = []
    with ExitStack() as opened:
        terminals = opened.enter_context(over_pcsc(load.clients)) if transport is Transport.PCSC else Terminals()
        if on_card:
            placed = open_card(on_card.card.use, contact=on_card.contact, exclusive=True)
            connection = opened.enter_context(placed)
        else:
            card = card_for(personality or DEFAULT, issuer.keys, seed)
        for name, flow in chosen.items():
            with progress(name, load) as notify:
                try:
                    if not isinstance(flow, Measured):
                        found = measure_scenario(flow, issuer, load, terminals=terminals, notify=notify, seed=seed)
                    elif on_card:
                        found = measure_held(flow, on_card, connection, behind, load, notify=notify)
                    else:
                        found = measure(flow, card, behind, load, terminals=terminals, notify=notify, seed=seed)
                except (ApduError, NotCompleted) as error:  # a card under test, which is not asked again
                    tell(f"sscard: {name}: {error}")
                    raise SystemExit(1) from None
            results.append(found)
            if found.recorded.interrupted:
                break
    return results


def _load(
    clients: int | None,
    think: float,
    rate: float | None,
    warm_up: float,
    duration: float | None,
    count: int | None,
    rounds: int,
    transport: Transport,
    on_card: Testbed | None,
) -> Load:
    """The load that the options ask for. Errors: ``InputError``."""
    from sscard.benchmark.load import Load
    from sscard.benchmark.pcsc import OWN_CLIENTS

    for first, second in (("--duration", "--count"), ("--think", "--rate")):
        if {first, second} <= {*given_names()}:
            raise excluding(first, second)
    if on_card and (clients or 1) > 1:
        raise InputError(_("--clients: one card under test has one client"), remedy=_("leave --clients out"))
    if transport is Transport.PCSC and (clients or 1) > OWN_CLIENTS:
        raise InputError(
            _("--clients: a private pcscd has readers for {count} clients", count=OWN_CLIENTS),
            remedy=_("at most {count} with --transport pcsc", count=OWN_CLIENTS),
        )
    if count is not None and count < rounds:
        raise InputError(
            _("--count: {count} operations cannot be divided into {rounds} rounds", count=count, rounds=rounds),
            remedy=_("measure more, or set --rounds 1"),
        )
    return Load(
        clients=clients or (OPEN_CLIENTS if rate and not on_card else 1),
        think=think,
        rate=rate or 0.0,
        warm_up=warm_up,
        duration=duration or DURATION,
        count=count or 0,
        rounds=rounds,
    )


def _chosen(
    names: Sequence[str], thresholds: Sequence[Threshold], personality: str, on_card: Testbed | None
) -> dict[str, Measured | Scenario]:
    """The flows of these names and the scenarios of files. Errors: ``InputError``, also for a threshold of another."""
    from sscard.benchmark.flows import find_flows
    from sscard.benchmark.held import check_permitted
    from sscard.benchmark.scenarios import scenarios_in
    from sscard.issuer import find_personality
    from sscard.issuer.lookup import is_path

    found: dict[str, Measured | Scenario] = {}
    for name in names:
        if is_path(name):
            if on_card:
                problem = _("{file}: a scenario is measured on cards of sscard", file=name)
                raise InputError(problem, remedy=_("leave --card and --testbed out, or name a flow"))
            for scenario in scenarios_in(name, find_personality(personality) if personality else None):
                if scenario.title in found:
                    problem = _("the second scenario with the title {title}", title=scenario.title)
                    raise InputError(problem, file=name, remedy=_("name each file once, or rename one of them"))
                found[scenario.title] = scenario
            continue
        for flow in find_flows(name):
            if on_card:
                check_permitted(flow, on_card)
            found[flow.name] = flow
    for threshold in thresholds:
        if threshold.flow and threshold.flow not in found:
            raise InputError(
                _("--threshold: {text!r}: the flow {flow} is not measured", text=threshold.text, flow=threshold.flow),
                remedy=_("measured: {words}", words=", ".join(found)),
            )
    return found


def _earlier(against: Path | None, fail_above: float | None, chosen: Sequence[str]) -> Earlier | None:
    """The benchmark to compare with. Errors: ``InputError``."""
    from sscard.benchmark.comparison import Earlier

    if against is None:
        if fail_above is not None:
            raise InputError(_("--fail-above needs --against"), remedy=_("name an earlier benchmark: --against FILE"))
        return None
    found = Earlier(against)
    found.check(chosen)
    return found


def _has_cases(chosen: Mapping[str, Measured | Scenario]) -> bool:
    """Whether one of the flows is a case, which is written to a journal."""
    from sscard.benchmark.flows import Measured

    return any(isinstance(flow, Measured) and flow.is_case for flow in chosen.values())


def _personalities(measured: Sequence[Measured | Scenario], personality: str) -> list[str]:
    """The names of the personalities of the cards that were measured, in the order of the flows."""
    from sscard.benchmark.flows import Measured
    from sscard.issuer import find_personality
    from sscard.issuer.issue import DEFAULT

    of_flows = find_personality(personality or DEFAULT)
    cards = (of_flows if isinstance(flow, Measured) else flow.personality for flow in measured)
    return [*dict.fromkeys(card.name for card in cards)]


def _shown(hsm: str, journal: str | None, on_card: Testbed | None) -> dict[str, str]:
    """HSM, journal and card under test for reports, without credentials; ``None`` if no journal is written."""
    from sscard.hsm.registry import HSMS
    from sscard.terminal.cards import scheme_of

    shown = {"hsm": HSMS.shown(hsm) if hsm else "soft:"}
    if journal is not None:
        kind = "postgresql" if journal.startswith("postgresql") else "sqlite" if journal else "memory"
        shown["journal"] = kind
    if on_card:
        use = on_card.card.use
        shown |= {"card": on_card.shown_card, "personality": on_card.claim.name, "transport": scheme_of(use)}
    return shown
