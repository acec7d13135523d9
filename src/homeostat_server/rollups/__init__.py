"""Summaries of spans made ahead of questions: which buckets are due, and when there is time for them."""
