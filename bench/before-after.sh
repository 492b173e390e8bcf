#!/usr/bin/env bash
# Two muxftpd binaries, measured in turn by the same driver: what each transfer and login costs the server.
#
#   bench/before-after.sh OLD NEW [ROUNDS]      default 7; the result goes to results/bench/before-after.txt
#
# Prints medians (least-most) of the server's CPU per operation, the operations per second, and the ratio NEW/OLD of the CPU;
# below 1 NEW is cheaper. The servers run on core 0 and the driver on core 1, with all files in memory. The login is by a user
# whose password hash is as cheap as argon2 allows: it measures the server, not argon2. All traffic stays on 127.0.0.1; only
# processes started here are ended.
set -euo pipefail
if [ $# -lt 2 ] || [ ! -x "$1" ] || [ ! -x "$2" ]; then
  echo "usage: bench/before-after.sh OLD NEW [ROUNDS], two muxftpd binaries" >&2
  exit 2
fi
old=$(realpath "$1") new=$(realpath "$2") rounds=${3:-7}
cd "$(dirname "$0")/.."
source bench/work.sh

cargo build --release -q -p muxftp-server --example cycle
cycle=target/release/examples/cycle
declare -A binary=([old]=$old [new]=$new) ftp=([old]=2971 [new]=2972) simple=([old]=2973 [new]=2974) ports=([old]=16000-17999 [new]=18000-19999) pid
for side in old new; do
  mkdir -p "$work/$side/root"
  head -c 4096 /dev/urandom >"$work/$side/root/small"
  head -c 268435456 /dev/urandom >"$work/$side/root/big"
  # The password is `bench`, with 8 KiB and one pass.
  cat >"$work/$side/users.toml" <<END
[[user]]
name = "bench"
password = "\$argon2id\$v=19\$m=8,t=1,p=1\$btc4uKD+THDjcqPjW6GXfQ\$rgHXhVZREDpMWcIO8eWubTwr7fbdSKVlFE9JitGYrSw"
root = "$work/$side/root"
END
  chmod 600 "$work/$side/users.toml"
  taskset -c 0 "${binary[$side]}" --root "$work/$side/root" --users "$work/$side/users.toml" --guest read-write \
    --listen "ftp://127.0.0.1:${ftp[$side]}" --listen "simple://127.0.0.1:${simple[$side]}" \
    --data-ports "${ports[$side]}" 2>"$work/$side/log" &
  pids+=($!)
  pid[$side]=$!
  await_port "${ftp[$side]}"
done

one() { # side dialect arguments: one line of the driver
  local port=${ftp[$1]}
  [ "$2" = ftp ] || port=${simple[$1]}
  taskset -c 1 "$cycle" "$2" "127.0.0.1:$port" $3 "${pid[$1]}"
}

cases=(
  "GET 4 KiB, 3 sessions|ftp|3 1500 get small 4096"
  "GET 4 KiB, 50 sessions|ftp|50 90 get small 4096"
  "PUT 4 KiB, 3 sessions|ftp|3 1500 put up 4096"
  "GET 4 KiB, 3, simple|simple|3 1500 get small 4096"
  "PUT 4 KiB, 3, simple|simple|3 1500 put up 4096"
  "20 at once log in|ftp|20 50 login bench 0"
  "GET 256 MiB, 3 sessions|ftp|3 2 get big 268435456"
  "PUT 256 MiB, 3 sessions|ftp|3 2 put bigup 268435456"
)

memory() { # side: KiB of the server while 50 guests are logged in and idle
  local fds=() fd line
  for _ in $(seq 50); do
    exec {fd}<>"/dev/tcp/127.0.0.1/${ftp[$1]}"
    fds+=("$fd")
    printf 'USER anonymous\r\nPASS bench\r\n' >&"$fd"
    while read -r line <&"$fd" && [[ $line != 230\ * ]]; do :; done
  done
  awk '/^VmRSS/ {print $2}' "/proc/${pid[$1]}/status"
  for fd in "${fds[@]}"; do exec {fd}>&-; done
}

mkdir -p results/bench
report=results/bench/before-after.txt
{
  for side in old new; do
    echo "$side: $(basename "${binary[$side]}"), $("${binary[$side]}" --version), sha256 $(sha256sum "${binary[$side]}" | cut -c1-16)"
  done
  echo "driver of commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%Y-%m-%dT%H:%MZ)"
  echo "$(uname -sr), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores, load $(cut -d' ' -f1 /proc/loadavg)"
  echo "servers on core 0, driver on core 1, files in /dev/shm; medians of $rounds rounds in turn (least-most)"
  echo
  printf '%-25s %-5s %34s %30s %8s\n' case side 'server CPU us/operation' 'operations/s' new/old
} >"$report"
{
  echo "memory with 50 idle sessions, before any transfer: old $(memory old) KiB, new $(memory new) KiB"
} >"$work/memory"

for entry in "${cases[@]}"; do
  IFS='|' read -r label dialect arguments <<<"$entry"
  for side in old new; do one "$side" "$dialect" "$arguments" >/dev/null; done # not counted: first touches of memory
  for round in $(seq "$rounds"); do
    # Who is first alternates: a drift of the machine hits both.
    if ((round % 2)); then order="old new"; else order="new old"; fi
    for side in $order; do one "$side" "$dialect" "$arguments" >>"$work/$side.out"; done
  done
  for side in old new; do
    sed -E 's/.*server CPU ([0-9.]+) us.*/\1/' "$work/$side.out" | median >"$work/$side.cpu"
    sed -E 's/.*: ([0-9]+) op\/s.*/\1/' "$work/$side.out" | median >"$work/$side.rate"
    rm "$work/$side.out"
  done
  ratio=$(awk 'NR == 1 {old = $1} NR == 2 {printf "%.3f", $1 / old}' "$work/old.cpu" "$work/new.cpu")
  printf '%-25s %-5s %34s %30s\n' "$label" old "$(cat "$work/old.cpu")" "$(cat "$work/old.rate")" >>"$report"
  printf '%-25s %-5s %34s %30s %8s\n' "" new "$(cat "$work/new.cpu")" "$(cat "$work/new.rate")" "$ratio" >>"$report"
  rm -f "$work"/*/root/*up.*
done
{
  echo
  cat "$work/memory"
  for side in old new; do echo "$side: $(awk '/^VmHWM/ {print $2}' "/proc/${pid[$side]}/status") KiB at most"; done
} >>"$report"
cat "$report"
