"""Forecasts of what is in the tables: when a wave, a campaign, a lane, or one letter will be gone.

waiting.py    what stands in which lanes before whom: a grouped count or two, never a list of rows
telling.py    dates and ranges as people say them
foreseeing.py both, and the rules of `domain.forecast`
"""

from .foreseeing import Forecast, Place, of_campaign, of_lane, of_letter, of_wave

__all__ = ["Forecast", "Place", "of_campaign", "of_lane", "of_letter", "of_wave"]
