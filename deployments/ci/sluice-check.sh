#!/bin/sh
# A check told to GitHub or GitLab from any other machine: Jenkins, Buildkite, a timer. How to use it: docs/ci.md.
#
#   CHANGE=12 GITHUB_TOKEN=... sluice-check.sh github --env prod
#   CHANGE=12 GITLAB_TOKEN=... sluice-check.sh gitlab --env prod
#
# What a job of the forge would know is read from git: the repository from the remote `origin`, the commit from HEAD, or from
# what is set already. CHANGE is the number of the pull request or merge request; without it there is no comment.
# The report is written to $REPORT: by default into Sluice's own folder, which git ignores.
# All other arguments are those of `sluice check`.
set -eu

usage() {
  echo "usage: $0 github|gitlab [arguments of sluice check]" >&2
  exit 2
}

[ "$#" -ge 1 ] || usage
forge=$1
shift

# https://host/group/name.git, ssh://git@host/group/name.git and git@host:group/name.git: the host, and group/name.
remote=$(git remote get-url origin 2>/dev/null || true)
plain=$(printf '%s\n' "$remote" | sed -E 's,^[a-z+]+://,,; s,^[^@/]*@,,; s,\.git/?$,,; s,^([^/:]+):([0-9]+/)?,\1/,')
host=${plain%%/*}
path=${plain#*/}
commit=$(git rev-parse HEAD)

case $forge in
  github)
    if [ "$host" = github.com ]; then api=https://api.github.com; else api=https://$host/api/v3; fi
    export GITHUB_API_URL="${GITHUB_API_URL:-$api}"
    export GITHUB_REPOSITORY="${GITHUB_REPOSITORY:-$path}"
    export GITHUB_SHA="${GITHUB_SHA:-$commit}"
    if [ -n "${CHANGE:-}" ]; then export GITHUB_REF="refs/pull/$CHANGE/head"; fi
    ;;
  gitlab)
    export CI_API_V4_URL="${CI_API_V4_URL:-https://$host/api/v4}"
    export CI_PROJECT_ID="${CI_PROJECT_ID:-$path}"
    export CI_COMMIT_SHA="${CI_COMMIT_SHA:-$commit}"
    if [ -n "${CHANGE:-}" ]; then export CI_MERGE_REQUEST_IID="$CHANGE"; fi
    ;;
  *) usage ;;
esac

exec sluice check "$@" --report-to "$forge" --output "${REPORT:-.sluice/sluice-report.html}"
