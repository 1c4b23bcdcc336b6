#!/bin/sh
# Starts a student's server with that student's account. JupyterHub runs it.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
shared=$(dirname "$root")

# The limit applies to each process, and none can raise it. It counts writable memory, not the far larger address space
# that XLA and Go reserve.
[ -z "${MEM_LIMIT:-}" ] || ulimit -d $((MEM_LIMIT / 1024))

# The student's copy of the lessons.
if [ ! -e "$HOME/lessons" ]; then
	mkdir "$HOME/lessons"
	cp -R "$root/notebooks/zh" "$root/notebooks/en" "$root/notebooks/images" "$HOME/lessons"
fi

# Packages that students have built are removed after five days without use, as Go does.
[ ! -d "$HOME/.cache/birnn-build" ] || find "$HOME/.cache/birnn-build" -type f -mtime +5 -delete

export GOCACHEPROG="$shared/bin/cache $shared/build"
export JUPYTER_PATH="$shared/kernels/share/jupyter" # where the kernels are
exec "$shared/jupyter/bin/jupyterhub-singleuser" --LanguageServerManager.autodetect=False "$@"
