{#- A part of a whole as a number from 0 to 1, to four places; null when there is no whole. -#}
{% macro share(part, whole) -%}
    round(({{ part }}) / nullif({{ whole }}, 0), 4)
{%- endmacro %}
