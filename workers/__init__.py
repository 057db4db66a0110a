"""The Celery doors: which task calls which verb, and when. `app.py` joins, `tasks.py` calls, `timetable.py` rings."""
