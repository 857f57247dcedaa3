#!/usr/bin/env bash
# What the tests of the web application drive: a Chromium, and axe-core. Installs what is missing where it may, and
# says plainly which tests will be skipped where it may not. Never fails.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
mkdir -p build

browser() {
    [ -n "${CHROMIUM:-}" ] && [ -x "$CHROMIUM" ] && return 0
    for name in chromium chromium-browser google-chrome google-chrome-stable chrome microsoft-edge; do
        command -v "$name" >/dev/null && return 0
    done
    return 1
}

if ! browser && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing Debian's chromium for the browser tests"
    for _ in 1 2 3; do
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
            chromium fonts-dejavu-core >build/browser.log 2>&1 && break
        sleep 5
    done
fi
browser || echo "skipped: browser tests (tests/web/test_pages.py, test_speed.py, test_accessibility.py) need a Chromium or Chrome"

axe=build/axe/node_modules/axe-core/axe.min.js
if [ ! -f "$axe" ] && command -v npm >/dev/null; then
    npm install --silent --no-save --no-audit --no-fund --prefix build/axe axe-core@4 >build/axe.log 2>&1
fi
[ -f "$axe" ] || echo "skipped: the accessibility test (tests/web/test_accessibility.py) needs npm, for axe-core"
exit 0
