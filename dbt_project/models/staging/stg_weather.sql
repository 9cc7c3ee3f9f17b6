with source as (
    select * from {{ source('raw', 'weather') }}
)

select
    md5(concat_ws('|', origin, time_hour)) as observation_id,
    origin as airport_code,
    time_hour as observed_hour_utc,
    make_date(year, month, day) as observed_date,
    hour as observed_hour,
    cast(temp as decimal(6, 2)) as temperature_f,
    cast(dewp as decimal(6, 2)) as dew_point_f,
    cast(humid as decimal(6, 2)) as relative_humidity_percent,
    wind_dir as wind_direction_degrees,
    -- a reading above 150 mph is a fault of the station, not weather
    case when wind_speed <= 150 then cast(wind_speed as decimal(6, 2)) end as wind_speed_mph,
    case when wind_gust <= 150 then cast(wind_gust as decimal(6, 2)) end as wind_gust_mph,
    cast(precip as decimal(6, 2)) as precipitation_inches,
    cast(pressure as decimal(6, 1)) as sea_level_pressure_millibars,
    cast(visib as decimal(6, 2)) as visibility_miles,
    loaded_at
from source
