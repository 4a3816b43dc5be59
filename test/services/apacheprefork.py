from apache import Subject as Apache


class Subject(Apache):
    """The prefork MPM: a process for each connection, accept() under a lock that they share."""
    mpm = "prefork"
