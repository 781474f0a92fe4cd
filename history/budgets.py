"""Budgets: what an experiment allows, as a file sets them and as a plan holds them."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from history.values import FrozenModel, Seconds, Share


class Bounds(FrozenModel):
    """Budgets as a file sets them, for an experiment or a class of workload; a plan has the same and their source."""

    model_config = ConfigDict(validate_by_name=True)  # people write ``rto: 30s``, a plan says ``rto_s: 30.0``
    rto_s: Seconds | None = Field(default=None, validation_alias="rto")
    rpo_requests: int | None = None
    availability: Share | None = None  # share of good arrivals in [t_fault, t_recovered + hold]
    p95_ratio: float | None = None  # p95 latency after recovery over baseline p95
    capacity_rto_s: Seconds | None = Field(default=None, validation_alias="capacity_rto")  # ready replicas back to desired
    rpo_steps: int | None = Field(default=None, ge=0)  # training: steps done before the fault that are not in the state it went on from
    rpo_samples: int | None = Field(default=None, ge=0)  # the same in samples


class Budgets(Bounds):
    """What an experiment allows. ``None``: not budgeted, hence not checked (and the report says so)."""

    source: dict[str, str] = Field(default_factory=dict)  # budget name -> who set it (class default, target, experiment)
