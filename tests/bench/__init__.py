"""How fast the engine is, beside something bare on the same machine in the same minute. `./run bench …` calls it.

scene.py       a database full of letters that may leave
crowd.py       very many signers of one campaign, made inside the database
databases.py   fresh ones to measure on, and the ground of one run
environs.py    the environment of a process that is measured
machine.py     what processes cost
far.py         the servers that mail is handed to, with their ledgers
reference.py   bare clients that send the same bytes: what the engine is measured against
worker.py      one worker process without Celery: the sending loop and nothing else
builder.py     one process that turns a wave into deliveries
crews.py       workers of either kind, and what they cost
measure.py     one run: scene, far server, workers, and the far server's ledger as witness
webs.py        a web process, and who sends it requests
plans.py       a mailing to very many signers becomes deliveries
events.py      what a provider reports is taken and applied
dashboards.py  the staff's pages over very many mails
figures.py     what is measured, as machines read it
report.py      several runs as tables or JSON
"""
