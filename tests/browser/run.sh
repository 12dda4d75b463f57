#!/usr/bin/env bash
# tests/browser/run.sh: the page in a real browser, two users, a server of their own.
#
# Needs: script/build (the server and the page), chromium. From the environment, each with its default:
#   LIBSYNC_SERVER     build/release/bin/libsync-server
#   LIBSYNC_PAGE       build/release/share/libsync/universe
#   LIBSYNC_TEST_FULL  1: watches the updates for 60 s instead of 6, and research to its end
#   CHROMIUM           /usr/bin/chromium
# Screenshots: build/screenshots. Ends with the summary of node --test, status 0 if all passed.
set -euo pipefail
cd "$(dirname "$0")/../.."
exec node --test --test-reporter=spec tests/browser/universe.test.mjs
