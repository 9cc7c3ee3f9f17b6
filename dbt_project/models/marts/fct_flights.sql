{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key='flight_id',
        on_schema_change='append_new_columns'
    )
}}

with flights as (
    select * from {{ ref('int_flight_times') }}
    {% if is_incremental() %}
        -- the last day is taken again, in case it was built before all of it had arrived
        where
            flight_date >= (
                select coalesce(max(built.flight_date), date '1900-01-01') from {{ this }} as built
            )
    {% endif %}
),

bands as (
    select * from {{ ref('delay_bands') }}
)

select
    flights.flight_id,
    flights.flight_date,
    flights.carrier_code,
    flights.flight_number,
    flights.tail_number,
    flights.origin,
    flights.destination,
    case
        when flights.departure_delay_minutes is null then 'cancelled'
        when flights.arrival_delay_minutes is null then 'diverted'
        else 'completed'
    end as flight_status,
    flights.scheduled_departure_local,
    flights.scheduled_departure_utc,
    flights.departed_local,
    flights.departed_utc,
    flights.scheduled_arrival_local,
    flights.scheduled_arrival_utc,
    flights.arrived_local,
    flights.arrived_utc,
    flights.departure_delay_minutes,
    flights.arrival_delay_minutes,
    bands.delay_band,
    coalesce(bands.is_on_time, false) as is_on_time,
    flights.air_time_minutes,
    flights.distance_miles,
    flights.loaded_at
from flights
left join bands
    on flights.arrival_delay_minutes >= bands.from_minutes
        and flights.arrival_delay_minutes < bands.to_minutes
