#!/usr/bin/env bash
# TLS: what a gigabyte costs the server, by curl; muxftpd, and beside it vsftpd and pure-ftpd when they are here.
#
#   bench/tls.sh [ROUNDS]        default 3; the result goes to results/bench/tls.txt
#
# Peers are measured when their programs are in PATH (or VSFTPD=, PURE_FTPD= name them) and PEER_USER=NAME:PASSWORD is an
# account of this machine whose home is a directory in memory; both need root. Server on core 0, curl on core 1, files in
# memory, four files of 256 MiB in each session. The figure is the CPU time of the server and its children, as the kernel
# counts it (in steps of 10 ms). Behind that: what sessions cost in which nothing is said (idle-tls.py). All traffic stays on 127.0.0.1; only processes started here are ended.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
source bench/work.sh
source bench/peers.sh

cargo build --release -q -p muxftp-server --bins
muxftpd=$PWD/target/release/muxftpd
report=$PWD/results/bench/tls.txt
"$muxftpd" cert self-signed --out "$work" --name localhost >/dev/null
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
chmod 600 "$work/both.pem"
mkdir "$work/root"
head -c 268435456 /dev/urandom >"$work/big"

servers=(muxftpd)
declare -A port=([muxftpd]=2981 [vsftpd]=2982 [pure-ftpd]=2983) pid account home
account[muxftpd]=anonymous:bench home[muxftpd]=$work/root
taskset -c 0 "$muxftpd" --listen ftp://127.0.0.1:2981 --root "$work/root" --tls required --log-level error \
  --tls-certificate "$work/cert.pem" --tls-key "$work/key.pem" &
pids+=($!) pid[muxftpd]=$!

for peer in vsftpd pure_ftpd; do
  if "${peer}_at" "${port[${peer/_/-}]}" "$work/both.pem"; then servers+=("${peer/_/-}") pid[${peer/_/-}]=${pids[-1]}; fi
done
for server in "${servers[@]:1}"; do account[$server]=$PEER_USER home[$server]=$peer_home; done
for server in "${servers[@]}"; do
  await_port "${port[$server]}"
  cp "$work/big" "${home[$server]}/muxftp-bench.big"
  chmod 644 "${home[$server]}/muxftp-bench.big"
done

ticks() { sed 's/.*) //' "/proc/$1/stat" | awk '{print $12 + $13 + $14 + $15}'; } # own and reaped children's

one() { # server get|put: seconds of CPU per GB
  local urls=() before after base="ftp://127.0.0.1:${port[$1]}/muxftp-bench"
  for n in 1 2 3 4; do
    if [ "$2" = get ]; then urls+=("$base.big" -o /dev/null); else urls+=(-T "$work/big" "$base.up$n"); fi
  done
  before=$(ticks "${pid[$1]}")
  taskset -c 1 curl -sS -k --ssl-reqd -u "${account[$1]}" "${urls[@]}"
  sleep 0.3 # children end, and are counted then
  after=$(ticks "${pid[$1]}")
  rm -f "${home[$1]}"/muxftp-bench.up?
  awk -v t=$((after - before)) -v hz="$(getconf CLK_TCK)" 'BEGIN {printf "%.3f\n", t / hz / (4 * 268435456 / 1e9)}'
}

{
  echo "muxftpd $("$muxftpd" --version | cut -d' ' -f2), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%Y-%m-%dT%H:%MZ)"
  echo "$(uname -sr), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores; $(rustc --version); $(curl --version | cut -d' ' -f1-2 | head -1)"
  echo "server on core 0, curl on core 1, files in /dev/shm; 4 x 256 MiB per session; medians of $rounds rounds in turn (min-max)"
  echo
  printf '%-12s %-10s %32s\n' case server 'server CPU s/GB'
} >"$report"
for case in get put; do
  for server in "${servers[@]}"; do one "$server" "$case" >/dev/null; done
  for _ in $(seq "$rounds"); do
    for server in "${servers[@]}"; do one "$server" "$case" >>"$work/$case.$server"; done
  done
  for server in "${servers[@]}"; do
    printf '%-12s %-10s %32s\n' "TLS $case" "$server" "$(median <"$work/$case.$server")" >>"$report"
  done
done
for server in "${servers[@]}"; do rm -f "${home[$server]}"/muxftp-bench.big; done

sessions=100 silence=10
printf '\n%-12s %-10s %32s %24s\n' "$sessions idle" server 'KiB per session (PSS)' "CPU ticks in $silence s" >>"$report"
for server in "${servers[@]}"; do
  python3 bench/idle-tls.py "${port[$server]}" "${account[$server]}" "${pid[$server]}" $sessions $silence |
    while IFS=$'\t' read -r kind memory cpu; do
      printf '%-12s %-10s %32s %24s\n' "$kind" "$server" "$memory" "$cpu" >>"$report"
    done
done
echo "muxftpd: $(grep VmHWM "/proc/${pid[muxftpd]}/status" | tr -s ' \t' ' ') at most" >>"$report"
cat "$report"
