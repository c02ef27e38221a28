"""Finished results of several trackers beside each other: tables, plots, and a page that plays them.

`compare.compare` reads and scores, `tables`, `plots` and `page` show, `write.write_report` puts all of it into a folder.
"""
