with register as (
    select
        faa as airport_code,
        name as airport_name,
        lat as latitude,
        lon as longitude,
        alt as altitude_feet,
        tzone as time_zone
    from {{ source('raw', 'airports') }}
),

additions as (
    select
        airport_code,
        airport_name,
        latitude,
        longitude,
        altitude_feet,
        time_zone
    from {{ ref('airport_additions') }}
)

select * from register
union all
-- once the register holds an airport itself, the addition is no longer needed
select additions.*
from additions
left join register on additions.airport_code = register.airport_code
where register.airport_code is null
