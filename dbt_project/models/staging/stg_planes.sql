with source as (
    select * from {{ source('raw', 'planes') }}
)

select
    tailnum as tail_number,
    year as year_built,
    type as aircraft_type,
    case
        when manufacturer like 'AIRBUS%' then 'AIRBUS'
        when manufacturer like 'CANADAIR%' then 'CANADAIR'
        when manufacturer like 'MCDONNELL DOUGLAS%' then 'MCDONNELL DOUGLAS'
        else manufacturer
    end as manufacturer,
    model,
    engines as engine_count,
    engine as engine_type,
    seats as seat_count,
    loaded_at
from source
