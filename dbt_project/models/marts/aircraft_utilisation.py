"""How much each aircraft flew out of New York, and its longest run of days without a rest."""

# pandas comes without types
# pyright: reportArgumentType=false, reportCallIssue=false, reportReturnType=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def model(dbt: Any, session: Any) -> pd.DataFrame:
    """One row per aircraft that flew, sorted by tail number; the same rows for the same inputs."""
    dbt.config(materialized="table")
    return utilisation(dbt.ref("fct_flights").df(), dbt.ref("stg_planes").df())


def utilisation(flights: pd.DataFrame, planes: pd.DataFrame) -> pd.DataFrame:
    """Sum up flights that departed per aircraft; an aircraft without a register entry keeps empty details."""
    flown = flights[(flights["flight_status"] != "cancelled") & flights["tail_number"].notna()]
    used = flown.groupby("tail_number", sort=True).agg(
        flights=("flight_id", "size"),
        active_days=("flight_date", "nunique"),
        air_minutes=("air_time_minutes", "sum"),
        miles=("distance_miles", "sum"),
    )
    used["longest_streak_days"] = longest_streaks(flown)
    used["flights_per_active_day"] = (used["flights"] / used["active_days"]).round(2)
    used["air_hours"] = (used.pop("air_minutes") / 60).round(1)
    register = planes.set_index("tail_number")[["manufacturer", "model", "year_built", "seat_count"]]
    table = used.join(register, how="left")
    table["is_registered"] = table.index.isin(register.index)
    table["seats_flown"] = table["flights"] * table["seat_count"]
    return with_exact_types(table.reset_index())


def longest_streaks(flown: pd.DataFrame) -> pd.Series:
    """Per aircraft the longest run of consecutive days with a flight, in days."""
    days = flown[["tail_number", "flight_date"]].drop_duplicates().sort_values(["tail_number", "flight_date"])
    day_number = days["flight_date"].astype("datetime64[s]").astype("int64") // 86_400
    # within a run the day and its rank grow together, so that their difference names the run
    run = (day_number - days.groupby("tail_number").cumcount()).rename("run")
    return days.groupby(["tail_number", run]).size().groupby("tail_number").max()


def with_exact_types(table: pd.DataFrame) -> pd.DataFrame:
    """Give whole numbers an integer type that can be empty; a join has made fractions of some."""
    whole = [
        "flights",
        "active_days",
        "longest_streak_days",
        "miles",
        "year_built",
        "seat_count",
        "seats_flown",
    ]
    columns = [
        "tail_number", "is_registered", "manufacturer", "model", "year_built", "seat_count", "flights",
        "active_days", "flights_per_active_day", "longest_streak_days", "air_hours", "miles", "seats_flown",
    ]  # fmt: skip
    return table.astype(dict.fromkeys(whole, "Int64"))[columns]
