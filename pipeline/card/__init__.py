"""The data card of a corpus: a README in Hugging Face's form, from the manifests of its sources and its mixture."""
