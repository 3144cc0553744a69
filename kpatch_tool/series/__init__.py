"""Messages -> series: patches, cover, trailers, replies; and the series directory on disk."""
