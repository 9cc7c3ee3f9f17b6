"""What the marts promise to those who read them; a column that is not named here is free to come and go."""

# ibis knows the type of a column only when it runs
# pyright: reportOperatorIssue=false, reportArgumentType=false
# pyright: reportAttributeAccessIssue=false, reportReturnType=false

from __future__ import annotations

import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandera.ibis as pa
from pandera.api.ibis.types import IbisData

NEW_YORK_AIRPORTS = ["EWR", "JFK", "LGA"]
CARRIER_CODE = r"^[0-9A-Z]{2}$"
AIRPORT_CODE = r"^[A-Z]{3}$"
DELAY_BANDS = [
    "early",
    "on time",
    "15 to 29 min late",
    "30 to 59 min late",
    "60 to 119 min late",
    "120 to 179 min late",
    "180 min late or more",
]
WEATHER_CONDITIONS = ["low visibility", "snow or ice", "rain", "strong wind", "fair", "not observed"]
# a flight a day late is scheduled again, under another date
DELAY = {"min_value": -180, "max_value": 1439}
SHARE = {"min_value": 0, "max_value": 1}


class Flights(pa.DataFrameModel):
    """`fct_flights`: one row per scheduled departure from New York."""

    flight_id: str = pa.Field(str_matches=r"^[0-9a-f]{32}$")
    flight_date: dt.Date
    carrier_code: str = pa.Field(str_matches=CARRIER_CODE)
    flight_number: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 9999})
    tail_number: str = pa.Field(str_matches=r"^[A-Z][0-9A-Z]{3,5}$", nullable=True)
    origin: str = pa.Field(isin=NEW_YORK_AIRPORTS)
    destination: str = pa.Field(str_matches=AIRPORT_CODE)
    flight_status: str = pa.Field(isin=["completed", "diverted", "cancelled"])
    scheduled_departure_local: dt.Timestamp = pa.Field(dtype_kwargs={"scale": 6})
    scheduled_departure_utc: dt.Timestamp = pa.Field(dtype_kwargs={"scale": 6})
    departed_utc: dt.Timestamp = pa.Field(dtype_kwargs={"scale": 6}, nullable=True)
    scheduled_arrival_local: dt.Timestamp = pa.Field(dtype_kwargs={"scale": 6})
    scheduled_arrival_utc: dt.Timestamp = pa.Field(dtype_kwargs={"scale": 6})
    arrived_utc: dt.Timestamp = pa.Field(dtype_kwargs={"scale": 6}, nullable=True)
    departure_delay_minutes: dt.Int32 = pa.Field(in_range=DELAY, nullable=True)
    arrival_delay_minutes: dt.Int32 = pa.Field(in_range=DELAY, nullable=True)
    delay_band: str = pa.Field(isin=DELAY_BANDS, nullable=True)
    is_on_time: bool
    air_time_minutes: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 1200}, nullable=True)
    distance_miles: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 6000})
    loaded_at: dt.Timestamp = pa.Field(dtype_kwargs={"scale": 6})

    class Config:
        """One row per flight."""

        unique = ["flight_id"]

    @pa.dataframe_check
    def has_rows(cls, data: IbisData) -> ir.BooleanScalar:
        """An empty fact table is a failed load, not a quiet day."""
        return data.table.count() > 0

    @pa.dataframe_check
    def only_completed_flights_have_an_arrival_delay(cls, data: IbisData) -> ir.BooleanValue:
        """Completed flights have an arrival, a delay and a band; the others have none of them."""
        flights = data.table
        completed = flights.flight_status == "completed"
        return (
            (flights.arrival_delay_minutes.notnull() == completed)
            & (flights.arrived_utc.notnull() == completed)
            & (flights.delay_band.notnull() == completed)
        )

    @pa.dataframe_check
    def only_cancelled_flights_have_no_departure(cls, data: IbisData) -> ir.BooleanValue:
        """Cancelled flights never departed, all others did."""
        flights = data.table
        return flights.departed_utc.isnull() == (flights.flight_status == "cancelled")

    @pa.dataframe_check
    def arrives_after_it_departs(cls, data: IbisData) -> ir.BooleanValue:
        """On the schedule, in one clock for both ends."""
        return data.table.scheduled_arrival_utc > data.table.scheduled_departure_utc

    @pa.dataframe_check
    def on_time_means_less_than_15_minutes_late(cls, data: IbisData) -> ir.BooleanValue:
        """The public definition, whatever the seed of the bands says."""
        flights = data.table
        return flights.is_on_time == (flights.arrival_delay_minutes.fill_null(9999) < 15)


class CarrierPunctuality(pa.DataFrameModel):
    """`carrier_punctuality`: one row per airline and month."""

    carrier_code: str = pa.Field(str_matches=CARRIER_CODE)
    carrier_name: str = pa.Field(str_length={"min_value": 2})
    flight_month: dt.Date
    scheduled_flights: int = pa.Field(ge=1)
    completed_flights: int = pa.Field(ge=0)
    cancelled_flights: int = pa.Field(ge=0)
    diverted_flights: int = pa.Field(ge=0)
    on_time_flights: int = pa.Field(ge=0)
    on_time_share: float = pa.Field(in_range=SHARE)
    cancelled_share: float = pa.Field(in_range=SHARE)
    mean_departure_delay_minutes: float = pa.Field(in_range=DELAY, nullable=True)
    mean_arrival_delay_minutes: float = pa.Field(in_range=DELAY, nullable=True)
    median_arrival_delay_minutes: float = pa.Field(in_range=DELAY, nullable=True)
    p90_arrival_delay_minutes: float = pa.Field(in_range=DELAY, nullable=True)

    class Config:
        """One row per airline and month."""

        unique = ["carrier_code", "flight_month"]

    @pa.dataframe_check
    def has_rows(cls, data: IbisData) -> ir.BooleanScalar:
        """A scorecard without an airline was not built."""
        return data.table.count() > 0

    @pa.dataframe_check
    def every_flight_has_one_outcome(cls, data: IbisData) -> ir.BooleanValue:
        """Completed, cancelled and diverted flights add up to the scheduled ones."""
        months = data.table
        outcomes = months.completed_flights + months.cancelled_flights + months.diverted_flights
        return outcomes == months.scheduled_flights

    @pa.dataframe_check
    def on_time_flights_were_completed(cls, data: IbisData) -> ir.BooleanValue:
        """No cancelled or diverted flight is on time."""
        return data.table.on_time_flights <= data.table.completed_flights

    @pa.dataframe_check
    def on_time_share_is_of_scheduled_flights(cls, data: IbisData) -> ir.BooleanValue:
        """Cancelling a late flight must not make the share better."""
        months = data.table
        expected = months.on_time_flights / months.scheduled_flights
        return (months.on_time_share - expected).abs() <= 0.0001

    @pa.dataframe_check
    def tenth_worst_is_not_better_than_the_middle(cls, data: IbisData) -> ir.BooleanValue:
        """The 90th percentile is at or above the median; both are empty when no flight was completed."""
        months = data.table
        is_ordered = months.p90_arrival_delay_minutes >= months.median_arrival_delay_minutes
        return is_ordered.fill_null(months.completed_flights == 0)

    @pa.dataframe_check
    def month_is_its_first_day(cls, data: IbisData) -> ir.BooleanValue:
        """A month is written as its first day."""
        return data.table.flight_month.day() == 1


class AirportDailyOperations(pa.DataFrameModel):
    """`airport_daily_operations`: one row per New York airport and day."""

    airport_code: str = pa.Field(isin=NEW_YORK_AIRPORTS)
    airport_name: str
    flight_date: dt.Date
    scheduled_departures: int = pa.Field(in_range={"min_value": 1, "max_value": 1000})
    cancelled_departures: int = pa.Field(ge=0)
    on_time_departures: int = pa.Field(ge=0)
    on_time_departure_share: float = pa.Field(in_range=SHARE)
    mean_departure_delay_minutes: float = pa.Field(in_range=DELAY, nullable=True)
    longest_departure_delay_minutes: dt.Int32 = pa.Field(in_range=DELAY, nullable=True)
    destinations_served: int = pa.Field(ge=1)
    peak_hour: dt.Int32 = pa.Field(in_range={"min_value": 0, "max_value": 23})
    peak_hour_departures: int = pa.Field(ge=1)
    mean_temperature_f: float = pa.Field(in_range={"min_value": -60, "max_value": 130}, nullable=True)
    strongest_wind_mph: float = pa.Field(in_range={"min_value": 0, "max_value": 150}, nullable=True)
    precipitation_inches: float = pa.Field(in_range={"min_value": 0, "max_value": 30}, nullable=True)
    lowest_visibility_miles: float = pa.Field(in_range={"min_value": 0, "max_value": 10}, nullable=True)

    class Config:
        """One row per airport and day."""

        unique = ["airport_code", "flight_date"]

    @pa.dataframe_check
    def no_airport_misses_a_day(cls, data: IbisData) -> ir.BooleanScalar:
        """All three airports are open every day: rows are airports times days."""
        operations = data.table
        return operations.count() == operations.flight_date.nunique() * len(NEW_YORK_AIRPORTS)

    @pa.dataframe_check
    def on_time_departures_were_not_cancelled(cls, data: IbisData) -> ir.BooleanValue:
        """On-time and cancelled departures are different flights."""
        operations = data.table
        outcomes = operations.on_time_departures + operations.cancelled_departures
        return outcomes <= operations.scheduled_departures

    @pa.dataframe_check
    def peak_hour_is_part_of_the_day(cls, data: IbisData) -> ir.BooleanValue:
        """One hour has no more departures than its day."""
        return data.table.peak_hour_departures <= data.table.scheduled_departures


class DelayCauses(pa.DataFrameModel):
    """`delay_causes`: one row per New York airport and kind of weather."""

    airport_code: str = pa.Field(isin=NEW_YORK_AIRPORTS)
    weather_condition: str = pa.Field(isin=WEATHER_CONDITIONS)
    scheduled_flights: int = pa.Field(ge=1)
    cancelled_flights: int = pa.Field(ge=0)
    delayed_departures: int = pa.Field(ge=0)
    cancelled_share: float = pa.Field(in_range=SHARE)
    delayed_share: float = pa.Field(in_range=SHARE, nullable=True)
    mean_departure_delay_minutes: float = pa.Field(in_range=DELAY, nullable=True)
    p90_departure_delay_minutes: float = pa.Field(in_range=DELAY, nullable=True)
    delay_over_fair_minutes: float = pa.Field(in_range={"min_value": -1439, "max_value": 1439}, nullable=True)

    class Config:
        """One row per airport and kind of weather."""

        unique = ["airport_code", "weather_condition"]

    @pa.dataframe_check
    def has_rows(cls, data: IbisData) -> ir.BooleanScalar:
        """There is always some weather."""
        return data.table.count() > 0

    @pa.dataframe_check
    def delayed_departures_were_not_cancelled(cls, data: IbisData) -> ir.BooleanValue:
        """Delayed and cancelled flights are different flights."""
        causes = data.table
        return causes.delayed_departures + causes.cancelled_flights <= causes.scheduled_flights

    @pa.dataframe_check
    def fair_weather_is_the_measure(cls, data: IbisData) -> ir.BooleanValue:
        """Fair weather is zero minutes over fair weather."""
        causes = data.table
        return (causes.weather_condition != "fair") | (causes.delay_over_fair_minutes.fill_null(0) == 0)


class Routes(pa.DataFrameModel):
    """`routes`: one row per pair of airports."""

    route_code: str = pa.Field(str_matches=r"^(EWR|JFK|LGA)-[A-Z]{3}$")
    origin: str = pa.Field(isin=NEW_YORK_AIRPORTS)
    destination: str = pa.Field(str_matches=AIRPORT_CODE)
    destination_name: str
    distance_miles: dt.Int32 = pa.Field(in_range={"min_value": 1, "max_value": 6000})
    carriers: int = pa.Field(in_range={"min_value": 1, "max_value": 16})
    scheduled_flights: int = pa.Field(ge=1)
    completed_flights: int = pa.Field(ge=0)
    cancelled_flights: int = pa.Field(ge=0)
    on_time_share: float = pa.Field(in_range=SHARE)
    mean_air_time_minutes: float = pa.Field(in_range={"min_value": 1, "max_value": 1200}, nullable=True)
    median_arrival_delay_minutes: float = pa.Field(in_range=DELAY, nullable=True)
    first_flight_date: dt.Date
    last_flight_date: dt.Date

    class Config:
        """One row per route."""

        unique = ["route_code"]

    @pa.dataframe_check
    def has_rows(cls, data: IbisData) -> ir.BooleanScalar:
        """A network has routes."""
        return data.table.count() > 0

    @pa.dataframe_check
    def outcomes_are_part_of_the_schedule(cls, data: IbisData) -> ir.BooleanValue:
        """Completed and cancelled flights are different flights, and all were scheduled."""
        routes = data.table
        return routes.completed_flights + routes.cancelled_flights <= routes.scheduled_flights

    @pa.dataframe_check
    def ends_after_it_begins(cls, data: IbisData) -> ir.BooleanValue:
        """The first flight is not after the last one."""
        return data.table.first_flight_date <= data.table.last_flight_date


class AircraftUtilisation(pa.DataFrameModel):
    """`aircraft_utilisation`: one row per aircraft that flew."""

    tail_number: str = pa.Field(str_matches=r"^[A-Z][0-9A-Z]{3,5}$")
    is_registered: bool
    manufacturer: str = pa.Field(nullable=True)
    model: str = pa.Field(nullable=True)
    year_built: int = pa.Field(in_range={"min_value": 1903, "max_value": 2013}, nullable=True)
    seat_count: int = pa.Field(in_range={"min_value": 1, "max_value": 600}, nullable=True)
    flights: int = pa.Field(ge=1)
    active_days: int = pa.Field(in_range={"min_value": 1, "max_value": 366})
    flights_per_active_day: float = pa.Field(in_range={"min_value": 1, "max_value": 12})
    longest_streak_days: int = pa.Field(ge=1)
    air_hours: float = pa.Field(ge=0)
    miles: int = pa.Field(ge=1)
    seats_flown: int = pa.Field(ge=1, nullable=True)

    class Config:
        """One row per aircraft."""

        unique = ["tail_number"]

    @pa.dataframe_check
    def has_rows(cls, data: IbisData) -> ir.BooleanScalar:
        """No flight flies without an aircraft."""
        return data.table.count() > 0

    @pa.dataframe_check
    def streak_is_part_of_the_active_days(cls, data: IbisData) -> ir.BooleanValue:
        """A run of days cannot be longer than the days there are."""
        return data.table.longest_streak_days <= data.table.active_days

    @pa.dataframe_check
    def active_days_have_flights(cls, data: IbisData) -> ir.BooleanValue:
        """No aircraft is active on more days than it has flights."""
        return data.table.active_days <= data.table.flights

    @pa.dataframe_check
    def registered_aircraft_have_details(cls, data: IbisData) -> ir.BooleanValue:
        """What the register holds has a manufacturer and seats; what it does not hold has neither."""
        aircraft = data.table
        return (aircraft.manufacturer.notnull() == aircraft.is_registered) & (
            aircraft.seats_flown.notnull() == aircraft.is_registered
        )
