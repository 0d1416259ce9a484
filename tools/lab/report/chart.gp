# In this folder, `gnuplot {{ chart.name }}.gp` makes {{ chart.name }}.svg of {{ chart.name }}.dat.
set terminal svg size 760,{{ 110 + 34 * chart.rows.len() }} dynamic background rgb 'white' font 'sans-serif,13'
set output '{{ chart.name }}.svg'
set title '{{ chart.title }}'
set xlabel '{{ chart.axis }}'
set xrange [{{ chart.from }}:{{ chart.to }}]
set yrange [-0.6:{{ chart.rows.len() }}-0.4]
set ytics ({% for row in chart.rows %}{% if !loop.first %}, {% endif %}'{{ row.name }}' {{ row.place }}{% endfor %})
set ytics scale 0
set xtics nomirror
set grid x linecolor rgb '#ddd3e6'
set border 3 linecolor rgb '#6d6478'
unset key
set style fill solid
colour(ours) = ours == 1 ? 0x7b5aa6 : 0xa9a2b3
{%- if chart.is_logarithmic %}
set logscale x
plot '{{ chart.name }}.dat' using 2:1:3:4:(colour($5)) with xerrorbars pointtype 7 linewidth 2 linecolor rgb variable
{%- else %}
plot '{{ chart.name }}.dat' using 2:1:(0):2:($1-0.32):($1+0.32):(colour($5)) with boxxyerror linecolor rgb variable, \
     '' using 2:1:3:4 with xerrorbars pointtype 0 linecolor rgb '#2b2433'
{%- endif %}

