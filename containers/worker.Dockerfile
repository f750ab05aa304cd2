# A Beam worker with everything that the corpus needs, the models of a recipe in it if they lie in models/.
# docker build --tag IMAGE --file containers/worker.Dockerfile .
FROM apache/beam_python3.11_sdk:2.77.0
WORKDIR /opt/llama-corpus
COPY . .
RUN pip install --no-cache-dir --constraint constraints.txt '.[corpus,gcp,aws]'
