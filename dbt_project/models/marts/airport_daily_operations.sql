with flights as (
    select * from {{ ref('fct_flights') }}
),

weather as (
    select * from {{ ref('stg_weather') }}
),

airports as (
    select * from {{ ref('stg_airports') }}
),

departures as (
    select
        origin,
        flight_date,
        count(*) as scheduled_departures,
        count(*) filter (where flight_status = 'cancelled') as cancelled_departures,
        -- the definition of on time, on the side of the departure
        count(*) filter (where departure_delay_minutes < 15) as on_time_departures,
        round(avg(departure_delay_minutes), 2) as mean_departure_delay_minutes,
        max(departure_delay_minutes) as longest_departure_delay_minutes,
        count(distinct destination) as destinations_served
    from flights
    group by origin, flight_date
),

hourly as (
    select
        origin,
        flight_date,
        cast(extract('hour' from scheduled_departure_local) as integer) as departure_hour,
        count(*) as scheduled_departures
    from flights
    group by origin, flight_date, departure_hour
),

peaks as (
    select
        origin,
        flight_date,
        departure_hour as peak_hour,
        scheduled_departures as peak_hour_departures
    from hourly
    -- of two hours as busy as each other, the earlier one
    qualify
        row_number() over (
            partition by origin, flight_date
            order by scheduled_departures desc, departure_hour asc
        ) = 1
),

daily_weather as (
    select
        airport_code,
        observed_date,
        round(avg(temperature_f), 1) as mean_temperature_f,
        cast(max(wind_speed_mph) as double) as strongest_wind_mph,
        cast(sum(precipitation_inches) as double) as precipitation_inches,
        cast(min(visibility_miles) as double) as lowest_visibility_miles
    from weather
    group by airport_code, observed_date
)

select
    departures.origin as airport_code,
    airports.airport_name,
    departures.flight_date,
    departures.scheduled_departures,
    departures.cancelled_departures,
    departures.on_time_departures,
    {{ share('departures.on_time_departures', 'departures.scheduled_departures') }}
        as on_time_departure_share,
    departures.mean_departure_delay_minutes,
    departures.longest_departure_delay_minutes,
    departures.destinations_served,
    peaks.peak_hour,
    peaks.peak_hour_departures,
    daily_weather.mean_temperature_f,
    daily_weather.strongest_wind_mph,
    daily_weather.precipitation_inches,
    daily_weather.lowest_visibility_miles
from departures
inner join peaks
    on departures.origin = peaks.origin
        and departures.flight_date = peaks.flight_date
left join airports on departures.origin = airports.airport_code
left join daily_weather
    on departures.origin = daily_weather.airport_code
        and departures.flight_date = daily_weather.observed_date
