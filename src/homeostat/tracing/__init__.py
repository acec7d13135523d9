"""Spans: of requests, of blocks of code, and of eleven families of operations.

It does not know where spans go (`export`), who decides which are kept (`sampling`), or how context travels between
processes (`propagation`): it makes spans, cheaply, and never raises into the program it observes.
"""
