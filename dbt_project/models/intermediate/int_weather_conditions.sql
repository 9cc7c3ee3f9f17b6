with weather as (
    select * from {{ ref('stg_weather') }}
)

select
    airport_code,
    observed_hour_utc,
    case
        when visibility_miles < 3 then 'low visibility'
        when precipitation_inches > 0 and temperature_f <= 33 then 'snow or ice'
        when precipitation_inches > 0 then 'rain'
        when wind_speed_mph >= 25 or wind_gust_mph >= 35 then 'strong wind'
        else 'fair'
    end as weather_condition
from weather
