"""What the programs of this folder share: requests and answers, the look of a page, records on the disk.

Not executable, so that no server runs it.
"""
