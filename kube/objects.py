"""Objects as the API server returns them.

The client's generated types call every field optional, also those that the API server always fills; these aliases say which kind is
meant and leave the rest to the API's own validation.
"""

from __future__ import annotations

from typing import Any, TypeAlias

Pod: TypeAlias = Any  # V1Pod
Node: TypeAlias = Any  # V1Node
Lease: TypeAlias = Any  # V1Lease
ConfigMap: TypeAlias = Any  # V1ConfigMap
Meta: TypeAlias = Any  # V1ObjectMeta
Options: TypeAlias = Any  # V1DeleteOptions
