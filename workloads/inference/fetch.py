"""The weights, fetched from object stores when a replica starts: each store is asked in turn until one gives the right ones.

What is right is said by the record in the image (``weights.SHIPPED``), never by a store: whoever can change the weights there could change
a digest beside them. A container that starts again finds what its pod has fetched, and asks nobody.
"""

import logging
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from workloads.inference import weights
from workloads.inference.settings import Settings
from workloads.inference.weights import WeightsCheck, WeightsRecord, WeightsRefused

TIMEOUT_S = 2.0  # of a connection, and of each silence: a store that is lost with its zone costs a start so much
PAUSE_S = 0.5  # between two rounds
MOST_BYTES = 48 << 20  # the folder has 64 MiB
log = logging.getLogger("weights")


def bring(settings: Settings) -> None:
    """Have the weights and their record in ``model_dir``, if ``model_urls`` says that stores have them. SIGTERM ends the process.

    Raises:
        WeightsRefused: no store gave them within ``startup_timeout_s``.

    """
    if not settings.stores:
        return
    record, folder = weights.read_record(weights.SHIPPED), settings.model_dir
    if _there(folder, record, settings.weights_check):
        log.info("weights: those in %s are left as they are", folder)
        return
    with _ended_by_sigterm():
        content = first_good(settings.stores, record, settings.weights_check, settings.startup_timeout_s)
    folder.mkdir(parents=True, exist_ok=True)
    part = folder / f"{weights.WEIGHTS_FILE}.part"
    part.write_bytes(content)
    weights.write_record(folder, record)
    part.replace(folder / weights.WEIGHTS_FILE)  # last: where it is, it is whole and has its record


def first_good(urls: Sequence[str], record: WeightsRecord, check: WeightsCheck, wait_s: float) -> bytes:
    """Return the weights of the first of ``urls`` whose pass ``check``; ask in rounds for ``wait_s`` seconds.

    Raises:
        WeightsRefused: none gave them; the sentence says what each said last.

    """
    end_s, said = time.monotonic() + wait_s, ""
    while True:
        refusals = []
        for url in urls:
            try:
                return _from(url, record, check)
            except WeightsRefused as refusal:
                refusals.append(str(refusal))
        if (now := "; ".join(refusals)) != said:
            said = now
            log.warning("nothing is served yet: %s", said)
        if time.monotonic() > end_s:
            raise WeightsRefused(f"no store gave the weights within {wait_s:g} s: {said}; restore them in a store, or correct MODEL_URLS")
        time.sleep(PAUSE_S)


def _from(url: str, record: WeightsRecord, check: WeightsCheck) -> bytes:
    """Return what one store gives. Raises WeightsRefused: nothing, too much, or other weights."""
    try:
        with urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310  settings.py takes http and https alone
            content: bytes = answer.read(MOST_BYTES + 1)
    except (OSError, HTTPException) as error:
        raise WeightsRefused(f"{url}: the weights can't be fetched ({type(error).__name__}: {error})") from error
    if len(content) > MOST_BYTES:
        raise WeightsRefused(f"{url}: more than {MOST_BYTES} bytes, which are no weights of this model")
    if check is WeightsCheck.DIGEST and (observed := weights.digest_of(content)) != record.sha256:
        raise WeightsRefused(f"{url}: sha256 is {observed}, the image records {record.sha256}: these are other weights")
    log.info("weights: %d bytes from %s", len(content), url)
    return content


def _there(folder: Path, record: WeightsRecord, check: WeightsCheck) -> bool:
    """Tell whether ``folder`` has weights already that pass ``check``, with this record."""
    try:
        path, found = weights.accepted(folder, check)
    except WeightsRefused:
        return False
    return path.is_file() and found == record


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """Let SIGTERM end the process meanwhile: a container's first process would not even notice it otherwise."""
    before = signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
