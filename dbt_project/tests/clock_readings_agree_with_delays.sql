-- A moment is known twice: from its clock reading and from its delay. Both must be the same moment.
-- They are compared both ways, because each way fails on one night: when the clocks go forward, an hour has
-- no local time (and airlines report readings in it); when they go back, one local hour stands for two.
-- Returns the flights where neither way agrees.
with times as (
    select * from {{ ref('int_flight_times') }}
),

airports as (
    select * from {{ ref('stg_airports') }}
)

select
    times.flight_id,
    times.departed_local,
    times.departed_utc,
    times.arrived_local,
    times.arrived_utc
from times
inner join airports on times.destination = airports.airport_code
where
    (
        times.departed_local <> {{ utc_to_local('times.departed_utc', "'America/New_York'") }}
        and times.departed_utc <> {{ local_to_utc('times.departed_local', "'America/New_York'") }}
    )
    or (
        times.arrived_local <> {{ utc_to_local('times.arrived_utc', 'airports.time_zone') }}
        and times.arrived_utc <> {{ local_to_utc('times.arrived_local', 'airports.time_zone') }}
    )
