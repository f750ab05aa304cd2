# A Beam worker with everything that the corpus needs, the models of a recipe in it if they lie in models/.
# docker build --tag IMAGE --file containers/worker.Dockerfile .
FROM apache/beam_python3.11_sdk:2.77.0
RUN apt-get update && apt-get install --yes --no-install-recommends g++ cmake && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/llama-corpus
COPY . .
RUN pip install --no-cache-dir '.[corpus,gcp,aws]'
