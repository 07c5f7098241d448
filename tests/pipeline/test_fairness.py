"""The short form of fairness.py."""

from __future__ import annotations

from fairness import Scale, run


def test_every_tracker_in_time_no_account_too_often():
    run(Scale(trackers=600, keys_per_request=64, interval=1, cycle=20, seconds=22, kill_every=5, lease=4))
