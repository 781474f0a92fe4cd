"""The load: locust in its own process, one open-loop dispatcher a worker, one row a request, an account of its own accuracy.

``python -m workloads.load run RUN_DIR`` reads ``plan.json`` and writes ``schedule.parquet``. It sends every request at its intended time,
whatever happened to earlier ones, and records each attempt in the run folder. Nobody imports this package: locust patches the process
that it lives in.
"""
