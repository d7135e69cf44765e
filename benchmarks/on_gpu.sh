#!/bin/sh
# Everything that a GPU must show, in at most nine minutes:
#
#     benchmarks/on_gpu.sh OUT [--multi30k FOLDER] [--rehearse]
#
# OUT receives results.json and table.md. Nothing is downloaded: what is not installed
# is named in the table. `benchmarks/on_gpu.py` says what the options are.
here=$(cd "$(dirname "$0")/.." && pwd)
python=$here/.venv/bin/python
[ -x "$python" ] || python=$(command -v python3 || command -v python)
PYTHONPATH=$here${PYTHONPATH:+:$PYTHONPATH} exec "$python" -m benchmarks.on_gpu "$@"
