"""What is dropped, mended and given back: collect, doctor, leave."""
