{#- The source writes a local clock reading as an integer: 517 is 05:17, and 2400 is the midnight at
    the end of the day. Minutes since the start of the day: 317 and 1440. -#}
{% macro clock_minutes(clock) -%}
    ({{ clock }} // 100 * 60 + {{ clock }} % 100)
{%- endmacro %}

{#- The moment a clock shows `clock` on `day`. A reading of 2400 falls on the next day, 00:00. -#}
{% macro clock_on(day, clock) -%}
    ({{ day }} + to_minutes({{ clock_minutes(clock) }}))
{%- endmacro %}

{#- The moment of an actual clock reading, `delay` minutes after `scheduled`. The sign of the delay says on
    which side of midnight the reading is: late but earlier on the clock is the next day, early but later on
    the clock is the day before. No flight here is a day or more late. -#}
{% macro actual_clock_on(scheduled, clock, delay) -%}
    {%- set scheduled_minutes = "date_diff('minute', cast(" ~ scheduled ~ " as date), " ~ scheduled ~ ")" -%}
    {{ clock_on('cast(' ~ scheduled ~ ' as date)', clock) }}
    + to_days(
        case
            when {{ delay }} > 0 and {{ clock_minutes(clock) }} < {{ scheduled_minutes }} then 1
            when {{ delay }} < 0 and {{ clock_minutes(clock) }} > {{ scheduled_minutes }} then -1
            else 0
        end
    )
{%- endmacro %}

{#- A naive local time at `zone` as naive UTC, and back. -#}
{% macro local_to_utc(moment, zone) -%}
    (({{ moment }} at time zone {{ zone }}) at time zone 'UTC')
{%- endmacro %}

{% macro utc_to_local(moment, zone) -%}
    (({{ moment }} at time zone 'UTC') at time zone {{ zone }})
{%- endmacro %}
