with flights as (
    select * from {{ ref('stg_flights') }}
),

airports as (
    select * from {{ ref('stg_airports') }}
),

scheduled as (
    select
        flights.*,
        airports.time_zone as destination_time_zone,
        {{ clock_on('flights.flight_date', 'flights.scheduled_departure_clock') }}
            as scheduled_departure_local,
        -- an arrival that reads earlier than the departure is on the next morning: no flight from New York
        -- crosses so many time zones that it lands before it left
        {{ clock_on('flights.flight_date', 'flights.scheduled_arrival_clock') }}
        + to_days(
            case when flights.scheduled_arrival_clock < flights.scheduled_departure_clock then 1 else 0 end
        ) as scheduled_arrival_local
    from flights
    left join airports on flights.destination = airports.airport_code
)

select
    flight_id,
    flight_date,
    carrier_code,
    flight_number,
    tail_number,
    origin,
    destination,
    distance_miles,
    scheduled_departure_local,
    scheduled_departure_utc,
    {{ actual_clock_on('scheduled_departure_local', 'departure_clock', 'departure_delay_minutes') }}
        as departed_local,
    scheduled_departure_utc + to_minutes(departure_delay_minutes) as departed_utc,
    scheduled_arrival_local,
    {{ local_to_utc('scheduled_arrival_local', 'destination_time_zone') }} as scheduled_arrival_utc,
    -- a diverted flight has a clock reading but no delay, so the day of its arrival is not known
    case
        when arrival_delay_minutes is not null
            then {{ actual_clock_on('scheduled_arrival_local', 'arrival_clock', 'arrival_delay_minutes') }}
    end as arrived_local,
    {{ local_to_utc('scheduled_arrival_local', 'destination_time_zone') }}
    + to_minutes(arrival_delay_minutes) as arrived_utc,
    departure_delay_minutes,
    arrival_delay_minutes,
    air_time_minutes,
    loaded_at
from scheduled
