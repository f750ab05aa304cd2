# The LLaMA-1 training corpus as a program. `make` lists what there is.

PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
CORPUS  ?= corpus
WORK    ?= work
OLDEST  ?= 3.10
WORKERS ?= 2
# The versions that are installed; empty: the newest that setup.py allows.
export PINS ?= constraints.txt
# What is set up, each when a command first needs it.
SETUP   := $(VENV)/.set-up-corpus
TRAINER := $(VENV)/.set-up-train
CHAT    := $(VENV)/.set-up-chat
TESTS   := $(VENV)/.set-up-test
SOURCES := commoncrawl c4 github wikipedia books arxiv stackexchange

.DEFAULT_GOAL := help
.PHONY: help setup flink flink-status flink-stop spark spark-status spark-stop $(SOURCES) instructions corpus demo report ablate chat lint format test bench pins pythons lowest clean sdist dataflow-commoncrawl container

help: ## this list
	@echo "usage: make TARGET"; echo
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-22s %s\n", $$1, $$2}'

setup: $(SETUP) ## make .venv and install what makes the corpus (the trainer and the tests set up theirs when they first run)

$(VENV)/.set-up-%: setup.py constraints.txt tools/set_up.py $(wildcard filters/native/*.[ch])
	@$(PYTHON) tools/set_up.py $(VENV) $*
	@touch $@

commoncrawl: $(SETUP) ## run CommonCrawl on the embedded sample, and show what happened
	@$(BIN)/python -m sources.commoncrawl --input 'samples/commoncrawl/*.warc.wet.gz' --output $(CORPUS) \
	  --set reference.model=samples/models/reference.ftz
	@$(BIN)/python -m pipeline.verify $(CORPUS)/commoncrawl

wikipedia: $(SETUP) ## run Wikipedia on the embedded sample, and show what happened
	@$(BIN)/python -m sources.wikipedia --input samples/wikipedia/*-multistream.xml.bz2 --output $(CORPUS)
	@$(BIN)/python -m pipeline.verify $(CORPUS)/wikipedia

books: $(SETUP) ## run Gutenberg and Books3 on the embedded sample, and show what happened
	@$(BIN)/python -m sources.books --gutenberg samples/books/gutenberg --books3 samples/books/books3.tar.gz --output $(CORPUS)
	@$(BIN)/python -m pipeline.verify $(CORPUS)/books

c4: $(SETUP) ## run C4 on the embedded sample (from WET files), and show what happened
	@$(BIN)/python -m sources.c4 --from wet --output $(CORPUS) \
	  --input 'samples/c4/*.warc.wet.gz' 'samples/commoncrawl/*.warc.wet.gz'
	@$(BIN)/python -m pipeline.verify $(CORPUS)/c4

github: $(SETUP) ## run GitHub on the embedded sample, and show what happened
	@$(BIN)/python -m sources.github --output $(CORPUS) \
	  --input samples/github/repositories 'samples/github/*.gz' 'samples/github/*.parquet'
	@$(BIN)/python -m pipeline.verify $(CORPUS)/github

arxiv: $(SETUP) ## run arXiv on the embedded sample, and show what happened
	@$(BIN)/python -m sources.arxiv --input samples/arxiv/bulk samples/arxiv/eprints --output $(CORPUS) \
	  --metadata samples/arxiv/arxiv-metadata-sample.json
	@$(BIN)/python -m pipeline.verify $(CORPUS)/arxiv

stackexchange: $(SETUP) ## run StackExchange on the embedded sample, and show what happened
	@$(BIN)/python -m sources.stackexchange --input 'samples/stackexchange/*.7z' --output $(CORPUS)
	@$(BIN)/python -m pipeline.verify $(CORPUS)/stackexchange

instructions: $(SETUP) ## run instruction data and preferences on the embedded sample, and show what happened
	@$(BIN)/python -m sources.instructions --input samples/instructions --output $(CORPUS)
	@$(BIN)/python -m sources.stackexchange --preferences --input 'samples/stackexchange/*.7z' --output $(CORPUS)
	@$(BIN)/python -m pipeline.verify $(CORPUS)/instructions $(CORPUS)/stackexchange_preferences

corpus: $(SETUP) ## all seven samples, a tokenizer trained on them, and the mixture as token shards, in work/
	@$(BIN)/python -m pipeline.build --output $(WORK) --until verify

report: $(SETUP) ## that, and a page of all that the runs did: work/report/index.html
	@$(BIN)/python -m pipeline.build --output $(WORK) --until report

demo: $(TRAINER) ## that, and a tiny LLaMA that trains on the shards
	@$(BIN)/python -m pipeline.build --output $(WORK)

ablate: $(TRAINER) ## what two filters are worth on the samples, and an arm that must be found worse: ablation/index.html
	@$(BIN)/python -m pipeline.ablate sample --output ablation --jobs 2

chat: $(CHAT) ## from instructions to a chat model, on the samples: reward model, rejection sampling, PPO; in chat/
	@$(BIN)/python -m trainer_bridge.chat.chain --output chat

lint: $(TESTS) ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(TESTS) ## reformat the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test: $(TESTS) ## all tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_FLAGS)

bench: $(TESTS) ## measure speed and memory (see benchmarks/README.md)
	@$(BIN)/python -m benchmarks.commoncrawl
	@$(BIN)/python -m benchmarks.rates

pins: $(TESTS) ## write the versions of all packages, as they are newest today, into constraints.txt
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.10 --no-annotate --no-header --upgrade --constraint tools/held_back.txt setup.py \
	  $(addprefix --extra ,corpus report aws gcp hub train chat trackers evaluation dev) --output-file constraints.txt

pythons: ## set up and run all samples under every other Python (3.10 to 3.14) that this machine has
	@VERSIONS="$(VERSIONS)" tools/try_pythons.sh

lowest: $(TESTS) ## run all samples with the oldest versions that setup.py allows, under the oldest Python
	@$(BIN)/python -m pip install --quiet uv
	@UV=$(BIN)/uv PYTHON="$(OLDEST)" tools/try_lowest.sh

sdist: $(SETUP) ## the source archive that Beam workers install
	@$(BIN)/python -m pip install --quiet build
	@$(BIN)/python -m build --sdist --outdir dist . > /dev/null && ls dist/*.tar.gz

container: ## an image for Beam workers, with all that the corpus needs in it: IMAGE=registry/name:tag
	docker build --tag $(IMAGE) --file containers/worker.Dockerfile .

dataflow-commoncrawl: $(SETUP) ## a crawl on Dataflow: PROJECT= REGION= BUCKET= IMAGE= [CRAWL= FILES=]
	@test -n "$(PROJECT)" -a -n "$(REGION)" -a -n "$(BUCKET)" -a -n "$(IMAGE)" || \
	  { echo "give PROJECT=, REGION=, BUCKET= (without gs://) and IMAGE= (from make container)"; exit 2; }
	$(BIN)/python -m pip install --quiet --constraint constraints.txt '.[gcp]'
	$(BIN)/python -m sources.commoncrawl --crawl $(or $(CRAWL),CC-MAIN-2019-30) --files $(or $(FILES),0-99) \
	  --output gs://$(BUCKET)/corpus --recipe commoncrawl_ccnet --set rejects.keep=sample \
	  --runner DataflowRunner --project $(PROJECT) --region $(REGION) --temp_location gs://$(BUCKET)/tmp \
	  --sdk_container_image $(IMAGE) --sdk_location container --experiments use_runner_v2 \
	  --worker_machine_type n2-highmem-4 --disk_size_gb 100 --autoscaling_algorithm THROUGHPUT_BASED

flink: $(SETUP) ## a real Flink cluster on this machine, with two task managers; prints the flags to use (flink-stop stops it)
	@$(BIN)/python -m tools.engines flink start

flink-status: ## what of make flink runs, and the flags to use
	@$(BIN)/python -m tools.engines flink status

flink-stop: ## stop what make flink started
	@$(BIN)/python -m tools.engines flink stop

spark: $(SETUP) ## a real Spark cluster on this machine, with two workers; prints the flags to use (spark-stop stops it)
	@$(BIN)/python -m tools.engines spark start

spark-status: ## what of make spark runs, and the flags to use
	@$(BIN)/python -m tools.engines spark status

spark-stop: ## stop what make spark started
	@$(BIN)/python -m tools.engines spark stop

clean: ## remove caches and builds; outputs and .venv stay
	rm -rf dist build *.egg-info .hypothesis .mypy_cache .ruff_cache .pytest_cache
