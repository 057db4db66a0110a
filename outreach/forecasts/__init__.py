"""Forecasts of what is in the tables: when a wave, a campaign, a lane, or one letter will be gone.

waiting.py    what stands in which lanes before whom: a grouped count or two, never a list of rows
braking.py    what brakes keep from leaving
telling.py    dates and ranges as people say them
foreseeing.py all of these and the rules of `domain.forecast`: waves, campaigns, lanes
placing.py    the same for one letter, or all of one signature
promising.py  the longest wait that is promised, and who is told when it cannot be kept
"""

from .foreseeing import Forecast, of_campaign, of_lane, of_wave
from .placing import Place, of_letter, of_letters
from .promising import watch_promises

__all__ = ["Forecast", "Place", "of_campaign", "of_lane", "of_letter", "of_letters", "of_wave", "watch_promises"]
