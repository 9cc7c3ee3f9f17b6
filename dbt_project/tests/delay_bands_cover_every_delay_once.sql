-- Each band must begin where the one before it ends; the first begins a day early, the last ends a day late.
-- Returns the bands that do not.
with bands as (
    select
        band_order,
        delay_band,
        from_minutes,
        to_minutes,
        lag(to_minutes, 1, -1440) over (order by band_order) as must_begin_at,
        lead(from_minutes, 1, 1440) over (order by band_order) as must_end_at
    from {{ ref('delay_bands') }}
)

select *
from bands
where from_minutes <> must_begin_at
    or to_minutes <> must_end_at
    or from_minutes >= to_minutes
