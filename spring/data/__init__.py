"""Read files into documents, passages and questions: cleaning, encodings, chunking, one loader for each format.

Knows nothing of retrieval, models or the page.
"""
