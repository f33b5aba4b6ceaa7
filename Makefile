# use-aa: the commands of the README. Each installs what is missing first.
.PHONY: run dev test size bench front contracts tools help

help:            ## what there is
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' Makefile

run:             ## build, start the local lab and serve http://127.0.0.1:3000
	@tools/run.sh

dev:             ## as run, and whatever changes is built anew and shown, while the lab goes on
	@tools/dev.sh

test:            ## every check and test; the last line is "N passed, N failed"
	@tools/test.sh

size:            ## what of the page that was built last is large, by crate and function
	@cargo xtask size

bench:           ## the benchmarks, printed as a table
	@tools/bench.sh

front:           ## the page's wasm, JavaScript and style into target/site
	@tools/front.sh

contracts:       ## the Solidity contracts into contracts/out
	@tools/install.sh npm && node contracts/build.mjs

tools:           ## only install what is missing
	@tools/install.sh all
