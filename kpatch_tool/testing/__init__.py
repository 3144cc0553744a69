"""`kpt test`: names of a series and of suites in; states built, booted, tested and compared with the base out.

`turns` decides which suites are run on a state at all; `kpt run` and `kpt bisect` test their states through this room.
"""
