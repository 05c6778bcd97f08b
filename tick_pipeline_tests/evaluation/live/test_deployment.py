"""The live deployment that .env names does what it should; `make test-evaluation` runs this."""

from __future__ import annotations

import pytest

from tick_pipeline.settings import PREFIX, Settings, load_settings
from tick_pipeline_tests.evaluation.deployment_tests import DeploymentTests


@pytest.mark.evaluation
@pytest.mark.timeout(3600)
class TestLive(DeploymentTests):
    """Skipped where there is none."""

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> Settings:
        """Those of the deployment, from the environment and .env."""
        settings = load_settings()
        if settings.deployment != "aws":
            pytest.skip(
                f"needs a live deployment: {PREFIX}DEPLOYMENT=aws, and Terraform's outputs by `make env`"
            )
        return settings
