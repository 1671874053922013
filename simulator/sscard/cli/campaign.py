"""``sscard campaign``: a population of cards, each with a life of its own, through the service or the card alone."""

from __future__ import annotations

import shlex
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import click

from sscard.campaign.rows import Through
from sscard.cli.options import json_option
from sscard.cli.output import check_other, check_output, check_output_folder
from sscard.cli.types import CAMPAIGN_THRESHOLD, FILE, FOLDER, Number, Text, Words
from sscard.cli.usage import Group, argument, given_names, option
from sscard.errors import InputError, PhrasedError
from sscard.files import mode_of
from sscard.i18n.language import N_, _

if TYPE_CHECKING:
    from sscard.campaign.results import Plan
    from sscard.campaign.running import Threshold

CARDS: Final = 1000
MOST_CARDS: Final = 2**32 - 1
MOST_WORKERS: Final = 256
MOST_SEED: Final = 2**63 - 1
"""What SQLite keeps."""


class CampaignGroup(Group):
    """Commands of which ``run`` needs no name: ``sscard campaign --cards 1000``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments, with the name of the command in front."""
        named = args and (args[0] in self.commands or args[0] == "--help")
        return super().parse_args(ctx, args if named else ["run", *args])

    def collect_usage_pieces(self, ctx: click.Context) -> list[str]:
        """Those of ``run``."""
        return self.commands["run"].collect_usage_pieces(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write arguments and options of ``run``, and the commands."""
        self.commands["run"].format_options(ctx, formatter)
        with formatter.section(_("Commands:")):
            formatter.write_dl(self.summaries(ctx))


@click.group("campaign", cls=CampaignGroup)
def campaign() -> None:
    """Run a population of cards through the PIN service, as the command run does.

    Each card has a seed of its own, so its life and the digest of a campaign
    depend on population, seed and number of cards only, not on engine, workers
    or order.
    """


def engine_names() -> list[str]:
    """The names of the engines, for completion."""
    from sscard.campaign.engines import ENGINES

    return ENGINES.names()


def timing_names() -> list[str]:
    """The names of the timing models, for completion."""
    from sscard.campaign.timing_file import PRESETS

    return list(PRESETS)


parquet_option: Final = option(
    "--parquet", type=FILE, help=N_("Write the cards as a Parquet file. An existing file is replaced.")
)
html_option: Final = option(
    "--html", type=FILE, help=N_("Write the report as one HTML page. An existing file is replaced.")
)
failures_option: Final = option(
    "--failures",
    type=FOLDER,
    help=N_("Write image, trace and the command that repeats it for each card that broke an invariant."),
)


@campaign.command("run")
@argument("population", type=FILE, required=False, help=N_("Population file. Default: a built-in population."))
@option("--cards", type=Number(1, MOST_CARDS), default=CARDS, help=N_("Number of cards."))
@option("--seed", type=Number(0, MOST_SEED), default=1, help=N_("Seed of the campaign."))
@option(
    "--through",
    type=Words(Through),
    default=Through.SERVICE,
    help=N_("The whole service with its journal, or card and HSM alone."),
)
@option(
    "--timing",
    type=Text(N_("TIMING"), timing_names),
    help=N_("Timing model of real hardware in virtual time: contact, contactless, or a file, which states papers."),
)
@option(
    "--engine",
    type=Text(N_("ENGINE"), engine_names),
    default="local",
    help=N_("local: processes; dask: a local cluster; dask:tcp://HOST:PORT: a scheduler that runs already."),
)
@option("--workers", type=Number(1, MOST_WORKERS), help=N_("Worker processes. Default: one for each processor."))
@option("--results", type=FILE, help=N_("Keep the results in this SQLite file, also if the campaign is interrupted."))
@option("--resume", is_flag=True, help=N_("Continue the campaign in --results; if there is no such file, begin it."))
@parquet_option
@html_option
@failures_option
@option(
    "--fail-above",
    type=CAMPAIGN_THRESHOLD,
    multiple=True,
    help=N_("Exit 1 if more than this share of the cards has the outcome, for example locked=2%."),
)
@option("--card", type=Number(0, MOST_CARDS - 1), help=N_("Repeat the life of this card alone and print its commands."))
@json_option
def run(
    population: Path | None,
    cards: int,
    seed: int,
    through: Through,
    timing: str | None,
    engine: str,
    workers: int | None,
    results: Path | None,
    resume: bool,
    parquet: Path | None,
    html: Path | None,
    failures: Path | None,
    fail_above: tuple[Threshold, ...],
    card: int | None,
    as_json: bool,
) -> None:
    """Run a campaign, or continue one.

    Exits 1 if a card broke an invariant or a share is above --fail-above, 3 if
    workers die again and again or cannot be reached, 130 on Ctrl-C; with
    --results, the campaign can be continued after each of these.
    """
    from sscard.campaign.engines import open_engine
    from sscard.campaign.results_writer import ResultsWriter
    from sscard.campaign.running import Progress, run_campaign
    from sscard.cli.campaign_output import Found, finish, progress, tell_incomplete

    if card is not None:
        plan = _plan(population, cards, seed, through, timing, results)
        if (results or "--cards" in given_names()) and card >= plan.cards:
            problem = _("--card {card}: the campaign has {cards:,} cards", card=card, cards=plan.cards)
            raise InputError(problem, remedy=_("expected: {limits}", limits=f"0 to {plan.cards - 1}"))
        _repeat(card, plan, as_json=as_json)
        return
    if resume and results is None:
        raise InputError(_("--resume needs --results"), remedy=_("name the file of the campaign: --results FILE"))
    _check_outputs(results, parquet, html, failures)
    with ExitStack() as opened:
        file = results or Path(opened.enter_context(TemporaryDirectory())) / "results.db"
        begun = resume and mode_of(file)
        plan = _plan(population, cards, seed, through, timing, file if begun else None)
        keep = ResultsWriter.resume if begun else ResultsWriter.create
        interrupted = False
        with open_engine(engine, workers or 0) as opened_engine:
            writer = opened.enter_context(keep(file, plan))
            ran = Progress(writer)
            try:
                with progress() as show:
                    run_campaign(opened_engine, writer, ran, show)
            except KeyboardInterrupt:
                interrupted = True
            except PhrasedError:
                tell_incomplete(ran, results)
                raise
        found = Found(
            writer,
            _repeating(population, timing, plan, results),
            ran,
            engine=engine,
            thresholds=fail_above,
            interrupted=interrupted,
        )
        finish(found, results, parquet, failures, html, as_json=as_json)


@campaign.command("show")
@argument("file", type=FILE, help=N_("The file of --results."))
@parquet_option
@html_option
@failures_option
@json_option
def show(file: Path, parquet: Path | None, html: Path | None, failures: Path | None, as_json: bool) -> None:
    """Show the results of a campaign, also while it runs. Exits 1 if a card broke an invariant."""
    from sscard.campaign.results import Results
    from sscard.cli.campaign_output import Found, finish

    _check_outputs(None, parquet, html, failures)
    with Results(file) as results:
        found = Found(results, _repeating(None, None, results.plan, file))
        finish(found, file, parquet, failures, html, as_json=as_json)


@campaign.command("schema")
def schema() -> None:
    """Print the JSON Schema of population files, for editors."""
    import json

    from sscard.campaign.population import population_schema

    click.echo(json.dumps(population_schema(), ensure_ascii=False, indent=1))


def _plan(
    population: Path | None, cards: int, seed: int, through: Through, timing: str | None, continued: Path | None
) -> Plan:
    """What the command line asks for; what it leaves open is as in the file that is continued."""
    from sscard.campaign.population import Population, read_population
    from sscard.campaign.results import Results
    from sscard.campaign.running import plan_of
    from sscard.campaign.shard import Task
    from sscard.campaign.timing_file import find_timing

    def timed(chosen: Population) -> Population:
        return chosen.timed(find_timing(timing)) if timing else chosen

    if continued is None:
        return plan_of(Task(timed(read_population(population)), seed, through), cards)
    with Results(continued) as results, results.errors():
        known = results.plan
        before = Population.model_validate_json(known.population)
    given = given_names()
    task = Task(
        timed(read_population(population) if population else before),
        seed if "--seed" in given else known.seed,
        through if "--through" in given else known.through,
    )
    return plan_of(task, cards if "--cards" in given else known.cards)


def _repeat(index: int, plan: Plan, *, as_json: bool) -> None:
    """Print the life of one card; exits 1 if it broke an invariant."""
    from sscard.campaign.repeat import repeat_card
    from sscard.campaign.running import task_of
    from sscard.cli.campaign_output import print_repeated

    for name in ("--engine", "--workers", "--resume", "--parquet", "--html", "--failures", "--fail-above"):
        if name in given_names():
            problem = _("{first} and {second} exclude each other", first="--card", second=name)
            raise InputError(problem, remedy=_("choose one of them"))
    repeated = repeat_card(task_of(plan), index)
    print_repeated(repeated, plan, as_json=as_json)
    if repeated.failure:
        raise SystemExit(1)


def _repeating(population: Path | None, timing: str | None, plan: Plan, results: Path | None) -> str:
    """The command that repeats a card of the campaign, without its index at the end."""
    if results:
        words = ["sscard", "campaign", "--results", str(results)]
    else:
        chosen = {"--seed": plan.seed, "--through": plan.through}
        words = ["sscard", "campaign", *([str(population)] if population else [])]
        words += [str(word) for each in chosen.items() for word in each]
        words += ["--timing", timing] if timing else []
    return shlex.join([*words, "--card"])


def _check_outputs(results: Path | None, parquet: Path | None, html: Path | None, failures: Path | None) -> None:
    """Check the files that are written at the end before the campaign begins. Errors: ``InputError``."""
    from sscard.cli.campaign_output import foreign

    if results:
        check_other(results, ())
    if parquet:
        import sscard.campaign.parquet  # noqa: F401 - it says what is missing

        check_output(parquet, replace=True)
    if html:
        check_output(html, replace=True)
    if failures:
        check_output_folder(failures, (), partial(foreign, failures))
