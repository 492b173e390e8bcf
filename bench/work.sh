# Sourced by the benchmarks: a directory in memory, $work, and the processes to end, ${pids[@]}; both are gone at the exit.
work=$(mktemp -d /dev/shm/muxftp-bench.XXXXXX)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

await_port() { for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.05; done; }

median() { # of numbers, one a line: "median (least-most)"
  sort -g | awk '{v[NR] = $1} END {printf "%g (%s-%s)\n", (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2, v[1], v[NR]}'
}
