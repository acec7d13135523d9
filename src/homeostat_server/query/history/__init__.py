"""One span against the history of its own kind: is it slow, or is this always so?"""
