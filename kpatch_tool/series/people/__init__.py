"""Who wrote, signed and reviewed: names, addresses and trailers in; whether they are one person's, which count, out.

Nothing here groups mails or reads diffs.
"""
