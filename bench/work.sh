# Sourced by the benchmarks: a directory in memory, $work, and the processes to end, ${pids[@]}; both are gone at the exit.
work=$(mktemp -d /dev/shm/muxftp-bench.XXXXXX)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
