{#- Fails on each row with a value that no clock shows: HHMM runs from 0000 to 2359, and 2400 is the midnight
    that ends the day; empty values pass. -#}
{% test clock_reading(model, column_name) %}

select *
from {{ model }}
where {{ column_name }} not between 0 and 2400
    or {{ column_name }} % 100 > 59

{% endtest %}
