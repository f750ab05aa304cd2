"""CCNet's steps over Common Crawl pages: lines and their keys, language models, the reference classifier."""
