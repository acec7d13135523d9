#!/bin/bash
# Build the peer that the captures come from: tests/peers/build.sh FOLDER. Needs Go, takes five minutes of one core.
#
# Only Jaeger: the Go module proxy does not give out Tempo's module. What is expected of Tempo's API is therefore written
# from its documentation and its published sources, and captures/tempo.json says so.
#
# `cmd/jaeger` is version 2, which has the version numbers of the module that it shares with version 1. The module has
# replacements in its go.mod, so it cannot be installed by name: a copy is built, because modules are kept read-only.
set -eu
module=github.com/jaegertracing/jaeger@v1.76.0
mkdir -p "$1"
cd "$1"
go mod download "$module"
rm -rf source
cp -r "$(go env GOMODCACHE)/$module" source
chmod -R u+w source
(cd source && go build -o ../jaeger ./cmd/jaeger)
echo "HOMEOSTAT_TEST_JAEGER=$PWD/jaeger"
