with source as (
    select * from {{ source('raw', 'airlines') }}
)

select
    carrier as carrier_code,
    name as carrier_name,
    loaded_at
from source
