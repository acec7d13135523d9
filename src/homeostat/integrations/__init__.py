"""What is hooked into other people's libraries, a file a library. It decides nothing about spans and sends nothing.

Invariant: a library is touched when the program uses it, once, and each touch can be taken back. A library that is not
there, or is of a version that is not known, costs one warning at most.
"""
