"""The station with real accounts, for the tests of this room."""

from tests.service.station import desk, station

__all__ = ["desk", "station"]
