-- From gate to gate takes longer than from take-off to touch-down. Returns the flights that would have flown
-- faster than time: a sign of a wrong day or a wrong time zone.
select
    flight_id,
    departed_utc,
    arrived_utc,
    air_time_minutes
from {{ ref('fct_flights') }}
where date_diff('minute', departed_utc, arrived_utc) < air_time_minutes
