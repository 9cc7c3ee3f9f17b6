{#- Fails on each row with a value below `at_least` or above `at_most`; empty values pass. -#}
{% test in_range(model, column_name, at_least, at_most) %}

select *
from {{ model }}
where {{ column_name }} not between {{ at_least }} and {{ at_most }}

{% endtest %}
