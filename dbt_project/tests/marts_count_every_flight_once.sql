-- The summaries split the same flights in different ways, so that their totals must be equal.
-- Returns the marts whose total is not that of fct_flights.
with totals as (
    select
        'carrier_punctuality' as mart,
        sum(scheduled_flights) as flights
    from {{ ref('carrier_punctuality') }}
    union all
    select
        'airport_daily_operations' as mart,
        sum(scheduled_departures) as flights
    from {{ ref('airport_daily_operations') }}
    union all
    select
        'delay_causes' as mart,
        sum(scheduled_flights) as flights
    from {{ ref('delay_causes') }}
    union all
    select
        'routes' as mart,
        sum(scheduled_flights) as flights
    from {{ ref('routes') }}
),

expected as (
    select count(*) as flights
    from {{ ref('fct_flights') }}
)

select
    totals.mart,
    totals.flights,
    expected.flights as flights_in_fct_flights
from totals
cross join expected
where totals.flights <> expected.flights
