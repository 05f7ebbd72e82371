#!/bin/sh
# Starts the program of this name in bin/ with what it needs from this bundle.
self=$(readlink -f "$0" 2>/dev/null) || self=$0
case $self in
*/*) here=$(cd "${self%/*}" && pwd) ;;
*) here=$PWD ;;
esac
# shellcheck source=run/bundle/env.sh
. "$here/env.sh"
exec "$here/bin/${self##*/}" "$@"
