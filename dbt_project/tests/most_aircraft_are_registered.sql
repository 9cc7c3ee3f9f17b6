-- The register lacks nearly one aircraft in five. Returns a row when it lacks so many more that figures per
-- manufacturer or seat would mislead.
with coverage as (
    select avg(cast(is_registered as integer)) as registered_share
    from {{ ref('aircraft_utilisation') }}
)

select registered_share
from coverage
where registered_share < 0.7
