#!/bin/sh
# Enrol a feed, as a timer does every night: enroll.sh FEED REPORTS
#
# FEED is a manifest or a folder, REPORTS a folder for lists of what was refused. Ends as fr does:
# 0 done, 100 done with new refusals (a list is in REPORTS), anything else: the run failed.
set -u
feed=${1:?usage: enroll.sh FEED REPORTS}
reports=${2:?usage: enroll.sh FEED REPORTS}
umask 077                                   # the list holds subjects' ids
rejects=$reports/rejects-$(date -u +%Y%m%dT%H%M%SZ)-$$.csv

fr --json enroll "$feed" --rejects "$rejects"
code=$?

case $code in
  100) echo "$(($(wc -l < "$rejects") - 1)) lines newly refused: see $rejects" >&2 ;;
  0)   rm -f "$rejects" ;;                  # nothing new: an empty list tells nobody anything
  11)  echo "Another process is changing the gallery; the next run tries again." >&2 ;;
  *)   echo "Nothing more was enrolled (exit $code): docs/reference/exit-codes.md" >&2 ;;
esac
exit $code
