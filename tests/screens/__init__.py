"""Pictures of every page, for `docs/screens`: `python -m tests.screens docs/screens`.

people.py     the signers of the pictures, and what became of their letters
furnishing.py a site as it looks on a busy Monday
camera.py     one browser, one page, one picture
public.py     every page and state that signers meet
inner.py      the pages of organizers and staff
"""
