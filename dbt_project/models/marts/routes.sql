with flights as (
    select * from {{ ref('fct_flights') }}
),

airports as (
    select * from {{ ref('stg_airports') }}
),

counted as (
    select
        origin,
        destination,
        -- the source's distance of a route may differ by a mile from flight to flight
        max(distance_miles) as distance_miles,
        count(distinct carrier_code) as carriers,
        count(*) as scheduled_flights,
        count(*) filter (where flight_status = 'completed') as completed_flights,
        count(*) filter (where flight_status = 'cancelled') as cancelled_flights,
        count(*) filter (where is_on_time) as on_time_flights,
        round(avg(air_time_minutes), 1) as mean_air_time_minutes,
        cast(quantile_cont(arrival_delay_minutes, 0.5) as double) as median_arrival_delay_minutes,
        min(flight_date) as first_flight_date,
        max(flight_date) as last_flight_date
    from flights
    group by origin, destination
)

select
    counted.origin || '-' || counted.destination as route_code,
    counted.origin,
    counted.destination,
    airports.airport_name as destination_name,
    counted.distance_miles,
    counted.carriers,
    counted.scheduled_flights,
    counted.completed_flights,
    counted.cancelled_flights,
    {{ share('counted.on_time_flights', 'counted.scheduled_flights') }} as on_time_share,
    counted.mean_air_time_minutes,
    counted.median_arrival_delay_minutes,
    counted.first_flight_date,
    counted.last_flight_date
from counted
left join airports on counted.destination = airports.airport_code
