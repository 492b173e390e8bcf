#!/usr/bin/env bash
# Trees: how long `muxftp mirror` and `lftp mirror` take for 2,000 small files, up and down, plain and over TLS.
#
#   bench/mirror.sh [ROUNDS]     default 3; the result goes to results/bench/mirror.txt
#
# Against muxftpd, and the servers of peers.sh that are here. Three sessions each; server on core 0, client on core 1, all files
# in memory. The figures are seconds by the clock and, in the last column, of the client's CPU. All traffic stays on 127.0.0.1;
# only processes started here are ended.
set -euo pipefail
cd "$(dirname "$0")/.."
rounds=${1:-3}
source bench/work.sh
source bench/peers.sh

cargo build --release -q -p muxftp-server -p muxftp-client --bins
muxftpd=$PWD/target/release/muxftpd muxftp=$PWD/target/release/muxftp
report=$PWD/results/bench/mirror.txt
command -v lftp >/dev/null || { echo "bench/mirror.sh: lftp is not here (apt-get install lftp)" >&2; exit 1; }
"$muxftpd" cert self-signed --out "$work" --name localhost >/dev/null
cat "$work/key.pem" "$work/cert.pem" >"$work/both.pem"
chmod 600 "$work/both.pem"
mkdir "$work/root"
for d in $(seq 40); do
  mkdir -p "$work/tree/$((d % 7))/$d"
  for f in $(seq 50); do head -c $((f * 14)) /dev/zero >"$work/tree/$((d % 7))/$d/$f"; done
done

servers=(muxftpd)
declare -A port=([muxftpd]=2981 [vsftpd]=2982 [pure_ftpd]=2983 [proftpd]=2984 [inetutils_ftpd]=2985) account home
account[muxftpd]=anonymous:bench home[muxftpd]=$work/root
taskset -c 0 "$muxftpd" --listen ftp://127.0.0.1:2981 --root "$work/root" --log-level error \
  --tls-certificate "$work/cert.pem" --tls-key "$work/key.pem" &
pids+=($!)
for peer in vsftpd pure_ftpd proftpd inetutils_ftpd; do
  if "${peer}_at" "${port[$peer]}" "$work/both.pem"; then servers+=("$peer") account[$peer]=$PEER_USER home[$peer]=$peer_home; fi
done
for server in "${servers[@]}"; do await_port "${port[$server]}"; done

by_muxftp() { # server off|required up|down
  local there="ftp://${account[$1]%%:*}@localhost:${port[$1]}/muxftp-bench.tree" args
  if [ "$3" = up ]; then args=(-R "$work/tree" "$there"); else args=("$there" "$work/down"); fi
  MUXFTP_PASSWORD=${account[$1]#*:} "$muxftp" mirror --tls "$2" --ca "$work/cert.pem" "${args[@]}" >/dev/null 2>"$work/told"
}

by_lftp() {
  local args tls
  if [ "$2" = off ]; then tls="set ftp:ssl-allow no"; else tls="set ftp:ssl-force yes; set ftp:ssl-protect-data yes"; fi
  if [ "$3" = up ]; then args="-R $work/tree muxftp-bench.tree"; else args="muxftp-bench.tree $work/down"; fi
  HOME=$work lftp -u "${account[$1]/:/,}" "ftp://localhost:${port[$1]}" -e "set cmd:fail-exit yes; $tls; \
    set ssl:ca-file $work/cert.pem; set ftp:ssl-allow-anonymous yes; mirror --parallel=3 $args; quit" >/dev/null 2>"$work/told"
}

one() { # client server off|required up|down: seconds, seconds of CPU
  local TIMEFORMAT='%R %U %S' copy=$work/down
  rm -rf "$work/down"
  if [ "$4" = up ]; then copy=${home[$2]}/muxftp-bench.tree; rm -rf "$copy"; fi
  { time taskset -c 1 "$BASH" -c "$(declare -f "by_$1"); $(declare -p account port work muxftp); by_$1 $2 $3 $4"; } 2>"$work/time" ||
    { cat "$work/told" >&2; return 1; }
  diff -rq "$work/tree" "$copy" >/dev/null || { echo "bench/mirror.sh: $*: not the same tree" >&2; return 1; }
  awk '{print $1, $2 + $3}' "$work/time"
}

{
  echo "muxftp $("$muxftp" --version | cut -d' ' -f2), commit $(git rev-parse --short HEAD 2>/dev/null || echo unknown), $(date -u +%Y-%m-%dT%H:%MZ); $(lftp --version | sed -n '1s|.*Version \([0-9.]*\).*|lftp \1|p')"
  echo "$(uname -sr), $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(nproc) cores; $(rustc --version)"
  echo "2,000 files of 14 to 700 bytes, three sessions; medians of $rounds rounds in turn (least-most)"
  echo
  printf '%-16s %-10s %-8s %24s %24s\n' server case client seconds 'CPU seconds'
} >"$report"
for server in "${servers[@]}"; do
  for tls in off required; do
    [ "$server $tls" = "inetutils_ftpd required" ] && continue
    for way in up down; do
      for _ in $(seq "$rounds"); do
        for client in muxftp lftp; do one $client "$server" $tls $way >>"$work/$server.$tls.$way.$client"; done
      done
      for client in muxftp lftp; do
        figures=$work/$server.$tls.$way.$client
        printf '%-16s %-10s %-8s %24s %24s\n' "${server/_/-}" "$way$([ $tls = off ] || echo ' TLS')" $client \
          "$(cut -d' ' -f1 "$figures" | median)" "$(cut -d' ' -f2 "$figures" | median)" >>"$report"
      done
    done
  done
  rm -rf "${home[$server]}/muxftp-bench.tree"
done
cat "$report"
