"""fastText classifiers, evaluated for many texts at once, exactly: model file, words, logits, output layer."""
