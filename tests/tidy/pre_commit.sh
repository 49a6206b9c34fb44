#!/usr/bin/env bash
# The checks of style and architecture that need no build, in seconds. As a hook of git:
#   ln -s ../../tests/tidy/pre_commit.sh "$(git rev-parse --git-path hooks)/pre-commit"
# `git commit --no-verify` goes without.
set -euo pipefail
cd "$(git rev-parse --show-toplevel)"
unset GIT_DIR GIT_INDEX_FILE # of the commit in the making: the checks ask git for the files themselves

# The symbols of the libraries are those of the last build, which may be another's.
exec /usr/bin/python3 tests/run_pytest.py tests/tidy/test_style.py tests/tidy/test_architecture.py \
  -k "not need_no_clock_socket_thread_file_or_stream"
