"""Whether sensors and schedules begin to run by themselves, as AUTOMATION_RUNNING says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from tick_pipeline.settings import Settings


def sensor_status(settings: Settings) -> dg.DefaultSensorStatus:
    """How a sensor is until somebody switches it in the web interface."""
    running = settings.automation_running
    return dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED


def schedule_status(settings: Settings) -> dg.DefaultScheduleStatus:
    """How a schedule is until somebody switches it in the web interface."""
    running = settings.automation_running
    return dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
