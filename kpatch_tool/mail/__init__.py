"""A source of mail (mbox, directory, archive page) -> messages. Knows nothing of patches."""
