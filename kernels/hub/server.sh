#!/bin/sh
# Starts the server of a student, as that student. JupyterHub calls it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
shared=$(dirname "$root")

# The limit is on each process by itself, and none can raise it. It counts memory that can be written to: of addresses
# alone, XLA and Go reserve far more.
[ -z "${MEM_LIMIT:-}" ] || ulimit -d $((MEM_LIMIT / 1024))

# The lessons, the student's own to change.
if [ ! -e "$HOME/lessons" ]; then
	mkdir "$HOME/lessons"
	cp -R "$root/notebooks/zh" "$root/notebooks/en" "$root/notebooks/images" "$HOME/lessons"
fi

# What students have built themselves is kept for five days, as Go does.
[ ! -d "$HOME/.cache/birnn-build" ] || find "$HOME/.cache/birnn-build" -type f -mtime +5 -delete

export GOCACHEPROG="$shared/bin/cache $shared/build"
export JUPYTER_PATH="$shared/kernels/share/jupyter" # where the kernels are
exec "$shared/jupyter/bin/jupyterhub-singleuser" --LanguageServerManager.autodetect=False "$@"
