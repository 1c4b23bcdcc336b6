#!/bin/sh
# Installs what a class shares into the parent directory of this clone, readable by everybody, writable by root only.
# Run it again after an update of the clone or of Go.
set -eu
umask 022
root=$(cd "$(dirname "$0")/../.." && pwd)
shared=$(dirname "$root")
export GOMODCACHE="$shared/modules" GOCACHE="$shared/build" PJRT_PLUGIN_LIBRARY_PATH="$shared/plugin"
cd "$root"

echo "JupyterHub"
python3 -m venv "$shared/jupyter"
"$shared/jupyter/bin/pip" install -q --disable-pip-version-check --only-binary=:all: -r kernels/hub/requirements.txt
"$shared/jupyter/bin/jupyter" labextension disable --level=sys_prefix @jupyterlab/apputils-extension:announcements

echo "its proxy"
mkdir -p "$shared/proxy"
cp kernels/hub/package.json kernels/hub/package-lock.json "$shared/proxy"
npm ci --silent --prefix "$shared/proxy"

echo "the kernels"
# Go removes what was not used for five days from its cache, and students cannot record their use.
[ ! -d "$GOCACHE" ] || find "$GOCACHE" -type f -exec touch {} +
go run ./kernels install -dir "$shared/kernels" -jupyter "$shared/jupyter/bin/jupyter"
CGO_ENABLED=0 go build -o "$shared/bin/cache" ./kernels/hub/cache

if ! runuser -u nobody -- sh -ec '"$1/bin/python" --version; "$2/bin/go" version; node --version; cat "$3/go.mod"' sh "$shared/jupyter" "$(go env GOROOT)" "$root" >/dev/null; then
	echo "students cannot use the installation, see above: make $shared, Python, Go and node readable by everybody" >&2
	exit 1
fi
