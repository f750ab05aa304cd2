# The LLaMA-1 training corpus as a program. `make` lists what there is.

PYTHON  ?= python3
VENV    ?= .venv
BIN     := $(VENV)/bin
CORPUS  ?= corpus
WORKERS ?= 2
SETUP   := $(VENV)/.setup-done

.DEFAULT_GOAL := help
.PHONY: help setup commoncrawl wikipedia books lint format test bench clean sdist dataflow-commoncrawl container

help: ## this list
	@echo "usage: make TARGET"; echo
	@grep -hE '^[a-z][a-z-]*:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-22s %s\n", $$1, $$2}'

setup: $(SETUP) ## make .venv and install everything in it (some minutes: fasttext and kenlm are compiled)

$(SETUP): setup.py constraints.txt
	@$(PYTHON) tools/check_build_tools.py
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing; fasttext and kenlm are compiled from source, which takes some minutes"
	@$(BIN)/python -m pip install --quiet --upgrade pip setuptools wheel
	@PYTHONWARNINGS=ignore $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[corpus,aws,train,dev]'
	@touch $@

commoncrawl: $(SETUP) ## run CommonCrawl on the embedded sample, and show what happened
	@$(BIN)/python -m sources.commoncrawl --input 'samples/commoncrawl/*.warc.wet.gz' --output $(CORPUS)
	@$(BIN)/python -m pipeline.verify $(CORPUS)/commoncrawl

wikipedia: $(SETUP) ## run Wikipedia on the embedded sample, and show what happened
	@$(BIN)/python -m sources.wikipedia --input samples/wikipedia/*-multistream.xml.bz2 --output $(CORPUS)
	@$(BIN)/python -m pipeline.verify $(CORPUS)/wikipedia

books: $(SETUP) ## run Gutenberg and Books3 on the embedded sample, and show what happened
	@$(BIN)/python -m sources.books --gutenberg samples/books/gutenberg --books3 samples/books/books3.tar.gz --output $(CORPUS)
	@$(BIN)/python -m pipeline.verify $(CORPUS)/books

lint: $(SETUP) ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

format: $(SETUP) ## reformat the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

test: $(SETUP) ## all tests
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

bench: $(SETUP) ## measure speed and memory (see benchmarks/README.md)
	@$(BIN)/python -m benchmarks.commoncrawl

sdist: $(SETUP) ## the source archive that Beam workers install
	@$(BIN)/python -m pip install --quiet build
	@$(BIN)/python -m build --sdist --outdir dist . > /dev/null && ls dist/*.tar.gz

container: ## an image for Beam workers, with all that the corpus needs in it: IMAGE=registry/name:tag
	docker build --tag $(IMAGE) --file containers/worker.Dockerfile .

dataflow-commoncrawl: $(SETUP) ## a crawl on Dataflow: PROJECT= REGION= BUCKET= IMAGE= [CRAWL= FILES=]
	@test -n "$(PROJECT)" -a -n "$(REGION)" -a -n "$(BUCKET)" -a -n "$(IMAGE)" || \
	  { echo "give PROJECT=, REGION=, BUCKET= (without gs://) and IMAGE= (from make container)"; exit 2; }
	$(BIN)/python -m pip install --quiet '.[gcp]'
	$(BIN)/python -m sources.commoncrawl --crawl $(or $(CRAWL),CC-MAIN-2019-30) --files $(or $(FILES),0-99) \
	  --output gs://$(BUCKET)/corpus --recipe commoncrawl_ccnet --set rejects.keep=sample \
	  --runner DataflowRunner --project $(PROJECT) --region $(REGION) --temp_location gs://$(BUCKET)/tmp \
	  --sdk_container_image $(IMAGE) --sdk_location container --experiments use_runner_v2 \
	  --worker_machine_type n2-highmem-4 --disk_size_gb 100 --autoscaling_algorithm THROUGHPUT_BASED

clean: ## remove outputs and caches; .venv stays
	rm -rf $(CORPUS) dist build *.egg-info .mypy_cache .ruff_cache .pytest_cache
