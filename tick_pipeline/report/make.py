"""Makes the report: measures, draws, writes the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tick_pipeline.errors import SettingsError
from tick_pipeline.report.measure import measure
from tick_pipeline.report.page import page_text, write_page
from tick_pipeline.report.pictures import load_pictures
from tick_pipeline.settings import scoring_rules

if TYPE_CHECKING:
    from pathlib import Path

    from tick_pipeline.report.comparison import Comparison
    from tick_pipeline.report.measure import Sources
    from tick_pipeline.settings import Settings


def default_page(settings: Settings) -> Path:
    """Where the page goes: into HOME, in either deployment."""
    return settings.home.expanduser().absolute() / "report" / "index.html"


def make_report(sources: Sources, page: Path, hours: tuple[int, int] | None = None) -> Comparison:
    """Measure both storage modes and write the page.

    Args:
        sources: of the deployment.
        page: the file.
        hours: see `measure`.

    Raises:
        SettingsError: one storage mode is switched off, so that there is nothing to compare.
        QueryError: a query cannot be run.
        WorkError: something could not be read, or the page not be written.
    """
    modes = sources.settings.storage_modes
    if len(modes) == 1:
        raise SettingsError(
            f"there is nothing to compare: TICK_PIPELINE_STORAGE_MODES={modes[0]} names one storage mode"
        )
    comparison = measure(sources, hours)
    pictures = load_pictures(sources.engine, comparison, scoring_rules(sources.settings))
    write_page(page, page_text(comparison, pictures))
    return comparison
