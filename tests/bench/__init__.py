"""How fast the engine is, beside a bare client on the same machine in the same minute. `./run bench …` calls it.

scene.py       a database full of letters that may leave
processes.py   workers and far servers as processes; what they cost
worker.py      one worker process without Celery: the sending loop and nothing else
reference.py   bare clients that send the same bytes: what the engine is measured against
measure.py     one run: scene, far server, workers, and the far server's ledger as witness
report.py      several runs as tables or JSON
"""
