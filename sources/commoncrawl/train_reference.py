"""``python -m sources.commoncrawl.train_reference``."""

from pipeline.engine.quiet import run_command

if __name__ == "__main__":
    run_command("sources.commoncrawl.training_command")
