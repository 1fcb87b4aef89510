"""What is wrong with the section `reports`, found before anything is started; no source is asked for it."""

from collections.abc import Callable, Iterator

from daemon.clock import SystemClock
from daemon.config.load import Config
from daemon.config.problems import Place
from handlers.reporting.base import Misfit
from handlers.reporting.render import Renderer
from handlers.reporting.sources import Surroundings, open_source


def faults(config: Config) -> Iterator[tuple[Place, str]]:
    """What would keep reports from being made: places below `reports`, each with a sentence."""
    for make in (_templates, _source):
        if (misfit := _misfit(make, config)) is not None:
            yield misfit.place, misfit.text


def _misfit(make: Callable[[Config], object], config: Config) -> Misfit | None:
    try:
        make(config)
    except Misfit as misfit:
        return misfit
    return None


def _templates(config: Config) -> object:
    reports = config.reports
    if reports is None or reports.templates is None:
        return None
    return Renderer(config.folder / reports.templates)


def _source(config: Config) -> object:
    if config.reports is None or config.reports.source is None:
        return None
    around = Surroundings(
        clock=SystemClock(), folder=config.folder, allow_private=config.network.allow_private
    )
    return open_source(config.reports.source, around)
