#!/usr/bin/env bash
# Equal transfers by the same driver, muxftpd and a floor in turn, and what each costs the server.
#
#   bench/side-by-side.sh [ROUNDS]        default 5; the result goes to results/bench/side-by-side.txt
#
# The floor (FLOOR=path to floor.c) is the least that a single-threaded epoll server can do: no paths, no limits, no
# timers, no log. It speaks RFC 959 with EPSV, one round trip more than the dialect simple: muxftpd is measured in both.
# The figure to compare is the server's CPU per transfer. Without the file only muxftpd is measured. Both servers run on
# core 0 and the driver on core 1, with their files in memory. All traffic stays on 127.0.0.1; only processes started here
# are ended.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-5}
floor_source=${FLOOR:-}
source bench/work.sh

cargo build --release -q -p muxftp-server --bins --examples
cycle=target/release/examples/cycle
mkdir "$work/muxftpd" "$work/floor"
for name in muxftpd floor; do
  head -c 4096 /dev/urandom >"$work/$name/small"
  head -c 268435456 /dev/urandom >"$work/$name/big"
done

taskset -c 0 target/release/muxftpd --root "$work/muxftpd" --listen simple://127.0.0.1:2991 --listen ftp://127.0.0.1:2993 \
  --data-ports 20000-20999 2>"$work/muxftpd.log" &
pids+=($!)
muxftpd_pid=$!
servers=(simple ftp)
if [ -f "$floor_source" ] && command -v gcc >/dev/null; then
  gcc -O2 -w -o "$work/floor.bin" "$floor_source"
  taskset -c 0 "$work/floor.bin" 2992 "$work/floor" &
  pids+=($!)
  floor_pid=$!
  servers+=(floor)
fi
# Wait until both answer.
for port in 2991 2993 ${floor_pid:+2992}; do
  for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.05; done
done

one() { # server case: one line of the driver
  case $1 in
    simple) taskset -c 1 "$cycle" simple 127.0.0.1:2991 $2 "$muxftpd_pid" ;;
    ftp) taskset -c 1 "$cycle" ftp 127.0.0.1:2993 $2 "$muxftpd_pid" ;;
    floor) taskset -c 1 "$cycle" ftp 127.0.0.1:2992 $2 "$floor_pid" ;;
  esac
}

median() { sort -g | awk '{v[NR]=$1} END {print (NR%2) ? v[(NR+1)/2] : (v[NR/2]+v[NR/2+1])/2}'; }

mkdir -p results/bench
report=results/bench/side-by-side.txt
{
  echo "muxftpd $(target/release/muxftpd --version | cut -d' ' -f2), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%Y-%m-%dT%H:%MZ)"
  echo "$(uname -sr), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores; $(rustc --version)"
  echo "server on core 0, driver on core 1, files in /dev/shm; medians of $rounds rounds in turn (min-max)"
  echo
  printf '%-22s %-14s %22s %32s %9s\n' case server 'transfers/s' 'server CPU us/transfer' 'of floor'
} >"$report"

cases=(
  "GET 4 KiB, 3 clients|3 4000 get small 4096"
  "GET 4 KiB, 50 clients|50 240 get small 4096"
  "PUT 4 KiB, 3 clients|3 3000 put up 4096"
  "GET 256 MiB, 3 clients|3 3 get big 268435456"
  "PUT 256 MiB, 3 clients|3 3 put bigup 268435456"
)
for entry in "${cases[@]}"; do
  label=${entry%%|*}
  arguments=${entry#*|}
  # Not counted: the first touches of memory, which are slow on a virtual machine.
  for server in "${servers[@]}"; do one "$server" "$arguments" >/dev/null; done
  for _ in $(seq "$rounds"); do
    for server in "${servers[@]}"; do one "$server" "$arguments" >>"$work/$server.out"; done
  done
  for server in "${servers[@]}"; do
    sed -E 's/.*: ([0-9]+) op\/s.*/\1/' "$work/$server.out" >"$work/$server.rate"
    sed -E 's/.*server CPU ([0-9.]+) us.*/\1/' "$work/$server.out" >"$work/$server.cpu"
    rm "$work/$server.out"
    for figure in rate cpu; do
      eval "${server}_$figure=\$(median <\"$work/$server.$figure\")"
      eval "${server}_${figure}_span=\$(sort -g \"$work/$server.$figure\" | sed -n '1p;\$p' | paste -sd-)"
    done
  done
  for server in "${servers[@]}"; do
    name=$server
    [ "$server" = floor ] || name="muxftpd $server"
    rate="${server}_rate" cpu="${server}_cpu" rate_span="${server}_rate_span" cpu_span="${server}_cpu_span"
    ratio=$(awk -v a="${!cpu}" -v b="${floor_cpu:-0}" 'BEGIN {if (b > 0) printf "%.2f", a / b}')
    printf '%-22s %-14s %22s %32s %9s\n' "$label" "$name" "${!rate} (${!rate_span})" "${!cpu} (${!cpu_span})" "$ratio" >>"$report"
  done
  rm -f "$work"/*/up.* "$work"/*/bigup.*
done
for server in muxftpd ${floor_pid:+floor}; do
  pid="${server}_pid"
  echo "$server: $(grep VmHWM "/proc/${!pid}/status" | tr -s ' \t' ' ') at most" >>"$report"
done
cat "$report"
