"""``python -m workloads deploy|delete|status``: the reference platform on a cluster."""

import argparse
import functools
import sys

from workloads import deploy
from workloads.compiled import CompileFailed


def main(argv: list[str] | None = None) -> int:
    """Do what is asked; exit code 1 when it failed, or when `status` finds something missing."""
    options = _parser().parse_args(argv)
    kubectl = deploy.Kubectl.choose(options.kubectl, options.kubeconfig, options.cluster)
    say = functools.partial(print, f"{options.verb}:", flush=True)
    try:
        match options.verb:
            case "deploy":
                deploy.deploy(kubectl, options.variant, options.timeout, say)
            case "delete":
                deploy.delete(kubectl, options.variant, options.timeout, say)
            case "status":
                return 0 if deploy.status(kubectl, options.variant, say) else 1
    except (deploy.DeployFailed, CompileFailed) as failure:
        print(f"{options.verb}: {failure}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workloads", description=__doc__)
    parser.add_argument("verb", choices=["deploy", "delete", "status"])
    parser.add_argument("--variant", default="hardened", help=f"one of: {', '.join(deploy.variants())} (default: hardened)")
    parser.add_argument("--cluster", default="local", metavar="NAME", help="which embedded cluster (default: %(default)s)")
    parser.add_argument("--kubeconfig", help="a cluster's kubeconfig (default: the embedded cluster)")
    parser.add_argument("--kubectl", metavar="CMD", help="how to call kubectl (default: `kubectl`; for the embedded cluster its own)")
    parser.add_argument("--timeout", type=int, default=240, metavar="S", help="seconds to wait for each Deployment (default: 240)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
