# Sourced by the benchmarks after work.sh: other people's servers, each started at a port by `NAME_at PORT PEM`; false when the
# program is not here (in PATH, or as VSFTPD=, PURE_FTPD=, PROFTPD=, INETUTILS_FTPD= name it) or cannot be used. All need root,
# and PEER_USER=NAME:PASSWORD, an account of this machine whose home ($peer_home) is a directory in memory.
peer_home=
if [ -n "${PEER_USER:-}" ] && [ "$EUID" -eq 0 ]; then peer_home=$(getent passwd "${PEER_USER%%:*}" | cut -d: -f6); fi

vsftpd_at() {
  local program
  [ -n "$peer_home" ] && program=$(command -v "${VSFTPD:-vsftpd}") || return
  mkdir -p /var/run/vsftpd/empty
  printf '%s\n' max_clients=0 max_per_ip=0 listen=YES listen_address=127.0.0.1 "listen_port=$1" background=NO \
    anonymous_enable=NO local_enable=YES write_enable=YES chroot_local_user=YES allow_writeable_chroot=YES pasv_min_port=23100 \
    pasv_max_port=23999 secure_chroot_dir=/var/run/vsftpd/empty pam_service_name=vsftpd xferlog_enable=NO \
    seccomp_sandbox=NO ssl_enable=YES require_ssl_reuse=NO force_local_logins_ssl=NO force_local_data_ssl=NO \
    "rsa_cert_file=$2" "rsa_private_key_file=$2" >"$work/vsftpd.conf"
  taskset -c 0 "$program" "$work/vsftpd.conf" &
  pids+=($!)
}

pure_ftpd_at() {
  local program
  [ -n "$peer_home" ] && program=$(command -v "${PURE_FTPD:-pure-ftpd}") || return
  taskset -c 0 "$program" -4 -S "127.0.0.1,$1" -Y 1 -2 "$2" -p 24100:24900 -l unix -A -c 500 -C 500 >/dev/null 2>&1 &
  pids+=($!)
}

proftpd_at() { # as its own settings have it: data connections have to resume the session of TLS
  local program modules name=${PEER_USER%%:*}
  [ -n "$peer_home" ] && program=$(command -v "${PROFTPD:-proftpd}") || return
  modules=${PROFTPD_MODULES:-/usr/lib/proftpd}
  printf '%s:%s:%s:%s::%s:/bin/sh\n' "$name" "$(openssl passwd -6 "${PEER_USER#*:}")" "$(id -u "$name")" "$(id -g "$name")" \
    "$peer_home" >"$work/proftpd.users"
  chmod 600 "$work/proftpd.users"
  printf '%s\n' "ModulePath $modules" "LoadModule mod_tls.c" "ServerType standalone" "DefaultServer on" "Port $1" \
    "DefaultAddress 127.0.0.1" "UseIPv6 off" "User root" "Group root" "RequireValidShell off" "AuthOrder mod_auth_file.c" \
    "AuthUserFile $work/proftpd.users" "PidFile $work/proftpd.pid" "ScoreboardFile $work/proftpd.score" "DelayEngine off" \
    "SystemLog none" "WtmpLog off" "TransferLog none" "AllowOverwrite on" "TLSEngine on" "TLSRSACertificateFile $2" \
    "TLSRSACertificateKeyFile $2" >"$work/proftpd.conf"
  taskset -c 0 "$program" -n -c "$work/proftpd.conf" >/dev/null 2>&1 &
  pids+=($!)
}

inetutils_ftpd_at() { # it has no TLS
  local program
  [ -n "$peer_home" ] && [ -n "${INETUTILS_FTPD:-}" ] && program=$(command -v "$INETUTILS_FTPD") || return
  taskset -c 0 python3 bench/inetd.py "$1" "$program" -a default &
  pids+=($!)
}
