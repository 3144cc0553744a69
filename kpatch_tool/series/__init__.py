"""Messages -> series, and the series directory on disk.

`people` and `reading` tell what one mail says, `postings` which mails belong together (`mailboxes`: in a large one),
`assemble` makes one `Series` of them (`model`); `restoring` gives its patches their bytes back, `directory` keeps it,
`views` shows it, and `importing` is `kpt import` as a whole.
"""
