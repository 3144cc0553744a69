"""A source of mail (mbox, directory, archive page) -> messages. Finds where a patch is in a mail; what that means
is for the room of series.
"""
