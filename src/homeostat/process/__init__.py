"""The process around the SDK: who it is, how it forks, how it ends, and how long that may take.

It does not know what there is to carry over a fork or to save at an end: it calls what it was given. Everything here
adds itself to what the program has set up and replaces nothing.
"""
