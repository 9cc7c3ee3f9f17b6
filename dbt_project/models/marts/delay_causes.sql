with flights as (
    select * from {{ ref('fct_flights') }}
),

conditions as (
    select * from {{ ref('int_weather_conditions') }}
),

flights_in_weather as (
    select
        flights.origin,
        flights.flight_status,
        flights.departure_delay_minutes,
        coalesce(conditions.weather_condition, 'not observed') as weather_condition
    from flights
    left join conditions
        on flights.origin = conditions.airport_code
            and date_trunc('hour', flights.scheduled_departure_utc) = conditions.observed_hour_utc
),

counted as (
    select
        origin,
        weather_condition,
        count(*) as scheduled_flights,
        count(*) filter (where flight_status = 'cancelled') as cancelled_flights,
        count(*) filter (where departure_delay_minutes >= 15) as delayed_departures,
        round(avg(departure_delay_minutes), 2) as mean_departure_delay_minutes,
        cast(quantile_cont(departure_delay_minutes, 0.9) as double) as p90_departure_delay_minutes
    from flights_in_weather
    group by origin, weather_condition
),

fair as (
    select
        origin,
        mean_departure_delay_minutes
    from counted
    where weather_condition = 'fair'
)

select
    counted.origin as airport_code,
    counted.weather_condition,
    counted.scheduled_flights,
    counted.cancelled_flights,
    counted.delayed_departures,
    {{ share('counted.cancelled_flights', 'counted.scheduled_flights') }} as cancelled_share,
    {{ share('counted.delayed_departures', 'counted.scheduled_flights - counted.cancelled_flights') }}
        as delayed_share,
    counted.mean_departure_delay_minutes,
    counted.p90_departure_delay_minutes,
    round(counted.mean_departure_delay_minutes - fair.mean_departure_delay_minutes, 2)
        as delay_over_fair_minutes
from counted
left join fair on counted.origin = fair.origin
