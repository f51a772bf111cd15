"""armsight over HTTP: estimates as a service, and a page to watch an arm live (extra `live`).

`api` answers, `desk` lets a bounded number of requests compute at a time, `guard` turns away what
is too large, too slow or from elsewhere.
"""
