# In this folder, `gnuplot listing.gp` makes listing.svg of listing.dat.
set terminal svg size 760,348 dynamic background rgb 'white' font 'sans-serif,13'
set output 'listing.svg'
set title 'Latency of a directory listing'
set xlabel 'median latency in µs'
set xrange [104.36846153846153:6735.8707]
set yrange [-0.6:7-0.4]
set ytics ('spidey single' 6, 'spidey forking' 5, 'spidey pool' 4, 'nginx' 3, 'Apache' 2, 'lighttpd' 1, 'http.server' 0)
set ytics scale 0
set xtics nomirror
set grid x linecolor rgb '#ddd3e6'
set border 3 linecolor rgb '#6d6478'
unset key
set style fill solid
colour(ours) = ours == 1 ? 0x7b5aa6 : 0xa9a2b3
set logscale x
plot 'listing.dat' using 2:1:3:4:(colour($5)) with xerrorbars pointtype 7 linewidth 2 linecolor rgb variable
