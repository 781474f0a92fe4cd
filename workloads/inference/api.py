"""The API process, which is the container's main process: ``python -m workloads.inference.api``. Settings: settings.py."""

import logging
import os
import sys

import uvloop

from workloads.environment import SettingRefused
from workloads.inference import fetch
from workloads.inference import settings as settings_module
from workloads.inference.serving import serve
from workloads.inference.weights import WeightsRefused


def main() -> int:
    """Serve; a refusal is one sentence and exit code 1."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        settings = settings_module.from_environment(os.environ)
        fetch.bring(settings)
        return uvloop.run(serve(settings))
    except (SettingRefused, WeightsRefused) as refusal:
        logging.getLogger("api").error("refuses to serve: %s", refusal)  # noqa: TRY400  a sentence, not a traceback
        return 1


if __name__ == "__main__":
    sys.exit(main())
