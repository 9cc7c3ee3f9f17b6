with source as (
    select * from {{ source('raw', 'flights') }}
),

dated as (
    select
        *,
        make_date(year, month, day) as flight_date
    from source
)

select
    md5(concat_ws('|', flight_date, origin, carrier, flight)) as flight_id,
    flight_date,
    carrier as carrier_code,
    flight as flight_number,
    tailnum as tail_number,
    origin,
    dest as destination,
    distance as distance_miles,
    sched_dep_time as scheduled_departure_clock,
    dep_time as departure_clock,
    sched_arr_time as scheduled_arrival_clock,
    arr_time as arrival_clock,
    time_hour + to_minutes(minute) as scheduled_departure_utc,
    dep_delay as departure_delay_minutes,
    arr_delay as arrival_delay_minutes,
    air_time as air_time_minutes,
    loaded_at
from dated
