"""Makes the project's own test vectors from the simulator's code: `python -m findmy_sim.vectors FOLDER`.

The files have the layout `tracker-vectors/1`: one JSON object per file with format, file, title, notes,
verified, count and cases. All values follow from fixed labels, so the files are the same on every run.
"""
