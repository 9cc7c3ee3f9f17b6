"""The values of the pipeline, by the words that people use. They import the standard library and each other."""
