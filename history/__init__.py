"""What happened in a run: the schema, writers that survive a kill, readers, the shared clock, and values as people write them.

One folder a run: ``plan.json`` (written before anything happens), ``requests``, ``events``, ``samples``, ``schedule``, ``ledgers/*``,
``scene/``, ``journal.json`` and, once judged, ``verdict.json``. While a run goes on, rows go to append-only JSON lines;
:func:`history.close.close_run` turns them into Parquet; :func:`history.reader.read_run` reads either.
"""
