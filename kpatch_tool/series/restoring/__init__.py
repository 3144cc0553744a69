"""A series with damaged patches and the files they are made for in; the series with its authors' bytes out.

The diffs themselves are restored by kpatch_tool.restore; here is what the patches of a series tell about one another.
"""
