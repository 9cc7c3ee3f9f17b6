"""What a batch must look like before any of it is written to a raw table."""

# ibis knows the type of a column only when it runs
# pyright: reportOperatorIssue=false, reportArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportReturnType=false

from __future__ import annotations

import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandera.ibis as pa
from pandera.api.ibis.types import IbisData

NEW_YORK_AIRPORTS = ["EWR", "JFK", "LGA"]
# the number of an aircraft begins with N in the USA; one in the data has a D by mistake
TAIL_NUMBER = r"^[A-Z][0-9A-Z]{3,5}$"


class RawFlights(pa.DataFrameModel):
    """Scheduled departures, one row each, for whole days."""

    year: dt.Int32 = pa.Field(eq=2013)
    month: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 12})
    day: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 31})
    dep_time: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 2400}, nullable=True)
    sched_dep_time: dt.Int32 = pa.Field(in_range={"min_value": 0, "max_value": 2359})
    dep_delay: dt.Int32 = pa.Field(in_range={"min_value": -180, "max_value": 1439}, nullable=True)
    arr_time: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 2400}, nullable=True)
    sched_arr_time: dt.Int32 = pa.Field(in_range={"min_value": 0, "max_value": 2359})
    arr_delay: dt.Int32 = pa.Field(in_range={"min_value": -180, "max_value": 1439}, nullable=True)
    carrier: str = pa.Field(str_matches=r"^[0-9A-Z]{2}$")
    flight: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 9999})
    tailnum: str = pa.Field(str_matches=TAIL_NUMBER, nullable=True)
    origin: str = pa.Field(isin=NEW_YORK_AIRPORTS)
    dest: str = pa.Field(str_matches=r"^[A-Z]{3}$")
    air_time: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 1200}, nullable=True)
    distance: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 6000})
    hour: dt.Int32 = pa.Field(in_range={"min_value": 0, "max_value": 23})
    minute: dt.Int32 = pa.Field(in_range={"min_value": 0, "max_value": 59})
    time_hour: dt.Timestamp = pa.Field(dtype_kwargs={"scale": 6})

    class Config:
        """No two flights share a number on one day at one airport."""

        unique = ["year", "month", "day", "carrier", "flight", "origin"]

    @pa.dataframe_check
    def hour_and_minute_are_the_scheduled_departure(cls, data: IbisData) -> ir.BooleanValue:
        """The schedule comes twice, as HHMM and as hour and minute."""
        flights = data.table
        return flights.hour * 100 + flights.minute == flights.sched_dep_time

    @pa.dataframe_check
    def departure_has_time_and_delay(cls, data: IbisData) -> ir.BooleanValue:
        """A flight departed, with its time and its delay, or it was cancelled and has neither."""
        flights = data.table
        return flights.dep_time.isnull() == flights.dep_delay.isnull()

    @pa.dataframe_check
    def arrival_needs_a_departure(cls, data: IbisData) -> ir.BooleanValue:
        """What never departed did not arrive."""
        flights = data.table
        return flights.dep_time.notnull() | flights.arr_time.isnull()

    @pa.dataframe_check
    def goes_somewhere_else(cls, data: IbisData) -> ir.BooleanValue:
        """No flight goes to where it starts."""
        return data.table.origin != data.table.dest


class RawWeather(pa.DataFrameModel):
    """Hourly observations; wind may hold the faults of a station, which staging removes."""

    origin: str = pa.Field(isin=NEW_YORK_AIRPORTS)
    year: dt.Int32 = pa.Field(eq=2013)
    month: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 12})
    day: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 31})
    hour: dt.Int32 = pa.Field(in_range={"min_value": 0, "max_value": 23})
    temp: float = pa.Field(in_range={"min_value": -60, "max_value": 130}, nullable=True)
    dewp: float = pa.Field(in_range={"min_value": -80, "max_value": 100}, nullable=True)
    humid: float = pa.Field(in_range={"min_value": 0, "max_value": 100}, nullable=True)
    wind_dir: dt.Int32 = pa.Field(in_range={"min_value": 0, "max_value": 360}, nullable=True)
    wind_speed: float = pa.Field(ge=0, nullable=True)
    wind_gust: float = pa.Field(ge=0, nullable=True)
    precip: float = pa.Field(in_range={"min_value": 0, "max_value": 15})
    pressure: float = pa.Field(in_range={"min_value": 850, "max_value": 1100}, nullable=True)
    visib: float = pa.Field(in_range={"min_value": 0, "max_value": 10})
    time_hour: dt.Timestamp = pa.Field(dtype_kwargs={"scale": 6})

    class Config:
        """The local hour comes twice when the clocks go back, the moment does not."""

        unique = ["origin", "time_hour"]


class RawPlanes(pa.DataFrameModel):
    """The register of aircraft."""

    tailnum: str = pa.Field(str_matches=TAIL_NUMBER)
    year: dt.Int32 = pa.Field(in_range={"min_value": 1903, "max_value": 2013}, nullable=True)
    type: str = pa.Field(isin=["Fixed wing multi engine", "Fixed wing single engine", "Rotorcraft"])
    manufacturer: str
    model: str
    engines: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 8})
    seats: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 600})
    speed: dt.Int32 = pa.Field(gt=0, nullable=True)
    engine: str

    class Config:
        """A number belongs to one aircraft."""

        unique = ["tailnum"]


class RawAirports(pa.DataFrameModel):
    """The register of airports; it is not complete, but it is never small."""

    faa: str = pa.Field(str_matches=r"^[0-9A-Z]{3}$")
    name: str
    lat: float = pa.Field(in_range={"min_value": -90, "max_value": 90})
    lon: float = pa.Field(in_range={"min_value": -180, "max_value": 180})
    alt: dt.Int32 = pa.Field(in_range={"min_value": -300, "max_value": 15000})
    tz: dt.Int32 = pa.Field(in_range={"min_value": -12, "max_value": 14})
    dst: str = pa.Field(isin=["A", "N", "U"])
    tzone: str = pa.Field(str_matches=r"^[A-Za-z_]+/[A-Za-z_]+$", nullable=True)

    class Config:
        """A code belongs to one airport."""

        unique = ["faa"]

    @pa.dataframe_check
    def has_the_new_york_airports(cls, data: IbisData) -> ir.BooleanScalar:
        """A register without our own three airports is the wrong file."""
        airports = data.table
        return airports.faa.isin(NEW_YORK_AIRPORTS).sum() == len(NEW_YORK_AIRPORTS)


class RawAirlines(pa.DataFrameModel):
    """Airlines and their codes."""

    carrier: str = pa.Field(str_matches=r"^[0-9A-Z]{2}$")
    name: str = pa.Field(str_length={"min_value": 2})

    class Config:
        """A code belongs to one airline."""

        unique = ["carrier"]
