"""The demo: the platform, three small services under real traffic, and a look at what arrived.

It uses the platform as everybody else does, by its command and over the network, and imports nothing of it.
"""
