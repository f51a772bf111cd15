#!/bin/sh
# Mesa draws without a display or a GPU. Rendering tests skip, and say so, where it is missing.
set -u
if ldconfig -p 2>/dev/null | grep -q 'libEGL\.so\.1'; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Mesa is missing, so rendering tests will skip. Install libegl1 (and libosmesa6)."
    exit 0
fi
apt-get update -qq
# Newer Debian has no libosmesa6 any more; EGL alone will do.
apt-get install -y -qq libegl1 libopengl0 libosmesa6 || apt-get install -y -qq libegl1 libopengl0 \
    || echo "Mesa could not be installed, so rendering tests will skip."
