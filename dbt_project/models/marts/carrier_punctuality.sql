with flights as (
    select * from {{ ref('fct_flights') }}
),

airlines as (
    select * from {{ ref('stg_airlines') }}
),

counted as (
    select
        carrier_code,
        cast(date_trunc('month', flight_date) as date) as flight_month,
        count(*) as scheduled_flights,
        count(*) filter (where flight_status = 'completed') as completed_flights,
        count(*) filter (where flight_status = 'cancelled') as cancelled_flights,
        count(*) filter (where flight_status = 'diverted') as diverted_flights,
        count(*) filter (where is_on_time) as on_time_flights,
        round(avg(departure_delay_minutes), 2) as mean_departure_delay_minutes,
        round(avg(arrival_delay_minutes), 2) as mean_arrival_delay_minutes,
        cast(quantile_cont(arrival_delay_minutes, 0.5) as double) as median_arrival_delay_minutes,
        cast(quantile_cont(arrival_delay_minutes, 0.9) as double) as p90_arrival_delay_minutes
    from flights
    group by carrier_code, flight_month
)

select
    counted.carrier_code,
    airlines.carrier_name,
    counted.flight_month,
    counted.scheduled_flights,
    counted.completed_flights,
    counted.cancelled_flights,
    counted.diverted_flights,
    counted.on_time_flights,
    {{ share('counted.on_time_flights', 'counted.scheduled_flights') }} as on_time_share,
    {{ share('counted.cancelled_flights', 'counted.scheduled_flights') }} as cancelled_share,
    counted.mean_departure_delay_minutes,
    counted.mean_arrival_delay_minutes,
    counted.median_arrival_delay_minutes,
    counted.p90_arrival_delay_minutes
from counted
left join airlines on counted.carrier_code = airlines.carrier_code
