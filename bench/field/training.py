"""Training on real hardware: clocks that lie apart, bits that differ, templates of somebody's own, slow steps, ledgers that lack a field.

Ledgers are constructed and judged by the real judge; jobs are made by the real maker of the real templates.
"""

from __future__ import annotations

from bench.field.cases import Seen, case
from history.budgets import Budgets
from history.result import Check, Verdict
from history.workloads import State
from runner.drivers.training.job import manifest
from runner.drivers.training.reference import reference_name
from runner.drivers.training.template import Template
from testing.histories.training_stories import Life, Story, apart, arrived, asked, check, hung, ns, rows_of, run_of, suite_asked
from verdict import judge

PART = "training"
OTHER_BITS = (Life(0.0, 0, 100, wrong_from=1), Life(24.0, 90, 250, wrong_from=1))
Rows = list[dict[str, object]]


def _judged(story: Story, rows: Rows, name: str) -> Check:
    return check(judge(run_of(story, rows)), name)


def _seen(found: Check, verdict: Verdict, says: str = "") -> Seen:
    return Seen(f"{found.name}: {found.verdict}. {found.sentence}", found.verdict is verdict and says in found.sentence)


def _killed(budget_s: float) -> Story:
    """Return a rank that is killed, and training that is beyond its high-water mark after 6.15 s."""
    return Story(budgets=Budgets(rto_s=budget_s))


@case(PART, "rank killed, truth 6.15 s, hosts' clocks −2 s, budget 5 s", "FAIL: the offset was measured, and is corrected")
def _behind() -> Seen:
    story = _killed(5)
    return _seen(_judged(story, [*apart(rows_of(story), -2), *asked(-2)], "rto"), Verdict.FAIL, "6.15 s")


@case(PART, "the same, hosts' clocks +8 s, budget 10 s", "PASS: the offset was measured, and is corrected")
def _ahead() -> Seen:
    story = _killed(10)
    return _seen(_judged(story, [*apart(rows_of(story), 8), *asked(8)], "rto"), Verdict.PASS, "6.15 s")


@case(PART, "the same, −2 s, budget 5 s, a ledger of somebody's own: no host asked for the time", "FAIL: by when its rows arrived")
def _behind_unasked() -> Seen:
    story = _killed(5)
    rows = [late | {"t_ns": early["t_ns"]} for late, early in zip(arrived(rows_of(story)), apart(rows_of(story), -2), strict=True)]
    return _seen(_judged(story, [*rows, suite_asked()], "rto"), Verdict.FAIL)


@case(
    PART, "truth 6.15 s, budget 5 s, hosts' clocks set 3 s forward 2 s after recovery, nobody asked", "never PASS: as unsure as it jumped"
)
def _set_forward() -> Seen:
    story, jumped_ns = _killed(5), 3 * 10**9
    rows = [one | {"t_ns": int(str(one["t_ns"])) + (jumped_ns if int(str(one["t_ns"])) > ns(28) else 0)} for one in arrived(rows_of(story))]
    return _seen(_judged(story, [*rows, suite_asked()], "rto"), Verdict.INCONCLUSIVE)


@case(PART, "truth 6.15 s, budget 6.5 s, clocks known within 1 s", "INCONCLUSIVE: the error is in the resolution")
def _coarse() -> Seen:
    story = _killed(6.5)
    return _seen(_judged(story, [*rows_of(story), *asked(0, error_s=0.5)], "rto"), Verdict.INCONCLUSIVE, "too close")


@case(PART, "same losses, other digests, `state: exact`", "FAIL by state")
def _bits_exact() -> Seen:
    story = Story(lives=OTHER_BITS)
    return _seen(_judged(story, rows_of(story), "state"), Verdict.FAIL)


@case(PART, "same losses, other digests, `state: {mode: tolerance, losses: 1e-3}`", "PASS by state")
def _bits_near() -> Seen:
    story = Story(lives=OTHER_BITS, state=State(mode="tolerance", losses=1e-3))
    return _seen(_judged(story, rows_of(story), "state"), Verdict.PASS)


@case(PART, "losses 1 % higher after recovery, tolerance 1e-3", "FAIL by state")
def _losses_far() -> Seen:
    story = Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, loss=1.01)), state=State(mode="tolerance", losses=1e-3))
    return _seen(_judged(story, rows_of(story), "state"), Verdict.FAIL, "1 %")


@case(PART, "same losses, other digests, `state: none`", "no check state")
def _bits_none() -> Seen:
    story = Story(lives=OTHER_BITS, state=State(mode="none"))
    names = [one.name for one in judge(run_of(story, rows_of(story))).checks]
    return Seen(f"checks: {', '.join(names)}", "state" not in names)


def _template(image: str = "r/train:1", *, pause: str = "0", **more: object) -> Template:
    """Return a template of somebody's own."""
    environment = {"TRAIN_STEPS": "100", "TRAIN_BATCH": "8", "NCCL_ALGO": pause}
    container = {"name": "trainer", "image": image, "command": ["python", "train.py"], **more}
    pod = {"metadata": {"labels": {"app": "trainer"}}, "spec": {"containers": [container]}}
    job = {"metadata": {"labels": {"kueue.x-k8s.io/queue-name": "gpus"}}, "spec": {"completions": 2, "parallelism": 2, "template": pod}}
    return Template("ml", "trainer", "trainer", job, environment, environment, frozenset({"app"}))


@case(PART, "template with another image (a digest; a tag that moved), or another environment", "another reference each")
def _references() -> Seen:
    names = {
        "r/train:1": reference_name(_template(), 2, "sha256:1"),
        "another digest": reference_name(_template("r/train:2"), 2, "sha256:2"),
        "r/train:1 moved": reference_name(_template(), 2, "sha256:2"),
        "another environment": reference_name(_template(pause="ring"), 2, "sha256:1"),
        "another command": reference_name(_template(args=["--bf16"]), 2, "sha256:1"),
    }
    again = reference_name(_template(), 2, "sha256:1")
    return Seen(", ".join(f"{what}: {name}" for what, name in names.items()), len({*names.values(), again}) == len(names))


@case(PART, "template with `limits: {nvidia.com/gpu: 1}` and Kueue's queue label", "reference keeps both; its deadline is the class's")
def _reference_job() -> Seen:
    asked_for = _template(resources={"limits": {"nvidia.com/gpu": "1"}})
    made = manifest(asked_for, "reference-1", "run-1", {}, one_pod=True, limit_s=7200)
    limits = made["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    queue, deadline_s = made["metadata"]["labels"].get("kueue.x-k8s.io/queue-name"), made["spec"]["activeDeadlineSeconds"]
    kept = limits == {"nvidia.com/gpu": "2"} and queue == "gpus" and deadline_s == 7200
    return Seen(f"limits {limits} (two pods' ranks in one), queue {queue}, deadline {deadline_s} s", kept)


@case(PART, "12 s a step, no step for 112 s, budget 60 s", "FAIL")
def _hang() -> Seen:
    story, rows = hung(12, 112, 60)
    return _seen(_judged(story, rows, "rto"), Verdict.FAIL)


@case(PART, "12 s a step, one of 20 s, budget 60 s", "PASS: never out")
def _slow_step() -> Seen:
    story, rows = hung(12, 20, 60)
    return _seen(_judged(story, rows, "rto"), Verdict.PASS, "never out")


@case(PART, "a job that did its last step 4 s before the fault, `state: none`", "INCONCLUSIVE: nothing was left to be hurt")
def _finished_before() -> Seen:
    story = Story(lives=(Life(0.0, 0, 400, step_s=0.04),), state=State(mode="none"))
    return _seen(_judged(story, rows_of(story), "baseline"), Verdict.INCONCLUSIVE, "nothing was left to be hurt")


@case(PART, "a loss of NaN after recovery, tolerance 1e-3", "FAIL by state, in words")
def _no_number() -> Seen:
    story = Story(lives=(Life(0.0, 0, 100), Life(24.0, 90, 250, loss=float("nan"))), state=State(mode="tolerance", losses=1e-3))
    return _seen(_judged(story, rows_of(story), "state"), Verdict.FAIL, "is no number")


def _without(name: str, story: Story) -> Rows:
    return [{key: value for key, value in one.items() if key != name} for one in rows_of(story)]


@case(PART, "ledger rows without `samples`", "INCONCLUSIVE; the sentence names the field and the check")
def _no_samples() -> Seen:
    return _seen(
        _judged(Story(), _without("samples", Story()), "samples"), Verdict.INCONCLUSIVE, "check `samples` needs the field `samples`"
    )


@case(PART, "ledger rows without `loss`, tolerance 1e-3", "INCONCLUSIVE; the sentence names the field and the check")
def _no_loss() -> Seen:
    story = Story(state=State(mode="tolerance", losses=1e-3))
    return _seen(_judged(story, _without("loss", story), "state"), Verdict.INCONCLUSIVE, "check `state` needs the field `loss`")
