# To be sourced after deployed.sh. Finds a Docker engine or starts one, and makes base images from this machine's files,
# so that none has to be pulled. With --if-possible as the first argument of the script, a missing engine is no failure.

if_possible=
[ "${1:-}" = --if-possible ] && if_possible=1 && shift

have() { command -v "$1" >/dev/null; }

# without WHAT WHY: ends the script, since it can't go on.
without() {
  if [ "$if_possible" ]; then
    echo "$1: skipped, $2"
    exit 0
  fi
  echo "$1: $2" >&2
  exit 1
}

# in_ci PACKAGE…: installs Debian packages, if this is a CI machine that may.
in_ci() {
  [ "${CI:-}" ] && [ "$(id -u)" = 0 ] && have apt-get || return 0
  quietly apt.log apt-get update -qq || true
  quietly apt.log apt-get install -y -qq --no-install-recommends "$@" || true
}

# engine NAME: on return, a Docker engine answers. NAME is the script's, for messages.
engine() {
  docker info >/dev/null 2>&1 && return
  have docker && have dockerd && have iptables || in_ci docker.io iptables
  have docker || without "$1" "there is no docker; on Debian: apt-get install docker.io iptables"
  have dockerd && have iptables ||
    without "$1" "no Docker engine answers; on Debian: apt-get install docker.io iptables"
  [ "$(id -u)" = 0 ] || without "$1" "no Docker engine answers, and only root can start one"
  export DOCKER_HOST="unix://$work/docker.sock"
  background docker.log dockerd --host "$DOCKER_HOST" --data-root "$work/data" --exec-root "$work/exec" \
    --pidfile "$work/docker.pid" --ip 127.0.0.1
  eventually docker info || without "$1" "no Docker engine could be started"
}

# static_busybox NAME: on return, there is one for root_of.
static_busybox() {
  have busybox || in_ci busybox-static
  have busybox && ! ldd "$(command -v busybox)" >/dev/null 2>&1 ||
    without "$1" "there is no static busybox for the containers; on Debian: apt-get install busybox-static"
}

# root_of FOLDER 'COMMAND…' BINARY…: fills a base image's folder with busybox under the names of these commands, and
# with the libraries that the binaries need.
root_of() {
  local root="$1" commands="$2" command file
  shift 2
  mkdir -p "$root"/{bin,etc,tmp}
  cp "$(command -v busybox)" "$root/bin/busybox"
  for command in $commands; do ln -s busybox "$root/bin/$command"; done
  for file in $(ldd "$@" | grep -oE '/[^ ]+\.so[^ ]*' | sort -u); do
    mkdir -p "$root/$(dirname "$file")"
    cp -L "$file" "$root/$file"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  echo 'hosts: files dns' >"$root/etc/nsswitch.conf"
}

# import_image FOLDER IMAGE [OPTION…]: makes an image of a folder, for this machine's processor.
import_image() {
  local root="$1" image="$2" platform=amd64
  shift 2
  case "$(uname -m)" in aarch64 | arm64) platform=arm64 ;; esac
  tar -C "$root" -c . | docker import --platform "linux/$platform" "$@" - "$image" >"$work/import.log"
}
