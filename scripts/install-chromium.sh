#!/bin/sh
# The tests of the live page run in a real browser. They skip, and say so, where it is missing.
set -u
if command -v chromium >/dev/null && command -v chromedriver >/dev/null; then exit 0; fi
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "Chromium is missing, so tests of the live page will skip. Install chromium, chromium-driver."
    exit 0
fi
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium chromium-driver \
    || echo "Chromium could not be installed, so tests of the live page will skip."
