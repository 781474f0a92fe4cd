"""``python -m bench.cgroup2``: the embedded cluster and every fault on cgroup v2, in a virtual machine. Resumable.

It installs QEMU and a kernel (Debian packages), boots, starts the cluster there, runs a pod, tries each fault alone, takes the cluster
down. The table is ``reports/out/cgroup2/trials.jsonl``; a rerun tries what is missing or went wrong. ``--write FILE`` publishes the table.
"""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from bench.cgroup2 import initramfs, packages, speed
from bench.cgroup2.job import TABLE
from bench.cgroup2.machine import Machine, accelerators_of, run
from bench.cgroup2.page import missed, page
from bench.common import pages
from bench.common.tables import ROOT, rows_of
from cluster.errors import ClusterError

OUT = ROOT / "reports" / "out" / "cgroup2"
SHARED = "/run/aftershock-out"  # OUT, in the virtual machine
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MODULES = "xfs loop fuse tun br_netfilter"  # the kernel loads others when they are asked for
MEMORY_MIB = 8192
STARTED = "bench.cgroup2.job, bench.campaigns.alone.__main__, cluster.cli"
COMPILED = OUT / "compiled"


def job(accelerator: str, here_s: float, for_s: float, only: Sequence[str] = ()) -> str:
    """Return the script that the virtual machine runs; ``only``: of the faults these alone."""
    words = shlex.join([sys.executable, "-m", "bench.cgroup2.job", SHARED, f"{here_s:.4f}", f"{for_s:g}", *only])
    variables = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", "ACCELERATOR": accelerator, "PYTHONPYCACHEPREFIX": str(COMPILED)}
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())
    return f"{exports}\nmodprobe -a {MODULES}\ncd {shlex.quote(str(ROOT))} && {words}\n"


def compile_all() -> None:
    """Compile what the virtual machine starts, where it finds it: an emulated processor would need minutes for that, at each start."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = str(COMPILED)
    subprocess.run([sys.executable, "-c", f"import {STARTED}"], cwd=ROOT, env=environment, check=True)


def boot(options: argparse.Namespace) -> None:
    """Boot the virtual machine for what is missing, and show what it says. Raises ClusterError."""
    kernel = packages.ensure(say)
    OUT.mkdir(parents=True, exist_ok=True)
    compile_all()
    built = initramfs.build(OUT / "initramfs.gz", packages.release_of(kernel))
    plain = Machine(kernel, built, OUT, options.memory_mib, cpus=2)
    accelerators = accelerators_of(plain)
    say(f"the virtual machine's accelerator: {accelerators[0]}" + (" (the processor is emulated)" if len(accelerators) == 1 else ""))
    (OUT / "job.sh").write_text(job(accelerators[0], speed.processor_s(), options.for_s, options.only))
    made = Machine(kernel, built, OUT, options.memory_mib, plain.cpus, accelerators)
    began_s = time.monotonic()
    if not run(made, options.for_s, lambda line: say(f"{time.monotonic() - began_s:7.0f} s  {line}")):
        say("the virtual machine was ended before it was done; a rerun goes on with what is missing")


def say(sentence: str) -> None:
    """Print a line at once."""
    print(sentence, flush=True)


def main() -> int:
    """Run, show, publish; exit 1 if something is missing or was not as it must be, 2 if the machine could not be made."""
    parser = pages.parser_of("bench.cgroup2", __doc__)
    pages.add_time_limit(parser)
    parser.add_argument("--memory-mib", type=int, default=MEMORY_MIB, help="the virtual machine's memory, at most (default: %(default)s)")
    parser.add_argument("--only", nargs="+", default=[], metavar="FAULT", help="of the faults these alone: faults.pods.kill")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that the virtual machine ends, too
    table = OUT / TABLE
    if options.write is None and missed(rows_of(table)):
        try:
            boot(options)
        except ClusterError as error:
            say(f"bench.cgroup2: {error}")
            return 2
    rows = rows_of(table)
    pages.publish(page(rows), options.write)
    return int(missed(rows))


if __name__ == "__main__":
    sys.exit(main())
